package deployer

import (
	"context"
	"slices"
	"strings"
	"sync"

	"batuta"
)

// clean removes what was replaced, and what only that needed. The deployment
// is live: what cannot be removed now is so by the next one.
func (r *rollout) clean(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	var all sync.WaitGroup
	for _, t := range r.tasks {
		if len(t.old) > 0 && t.out == nil {
			all.Go(func() { r.removeOld(ctx, t) })
		}
	}
	all.Wait()
	if r.plan.idle() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.fleet.options.Act)
	defer cancel()
	for _, name := range r.plan.shipsOf(func(Change) bool { return true }) {
		all.Go(func() { r.prune(ctx, name) })
	}
	all.Wait()
}

func (r *rollout) removeOld(ctx context.Context, t *task) {
	for _, c := range t.old {
		if err := r.fleet.remove(ctx, c); err != nil {
			r.sayOf(c, "", c.Name+" is left behind: "+err.Error())
			continue
		}
		r.sayOf(c, Removed, c.Name+" removed")
	}
}

// prune takes from a ship the environment's network, if nothing of it is meant
// to run there any more, and the images that only releases beyond those kept
// for a rollback were made of.
func (r *rollout) prune(ctx context.Context, name batuta.ShipName) {
	ship := r.fleet.ships[name]
	if !slices.ContainsFunc(r.tasks, func(t *task) bool { return t.Ship == name && t.want != nil || t.out != nil }) {
		if err := ship.RemoveNetwork(ctx, r.plan.Scope); err != nil {
			r.tell(Event{Ship: name, Text: "the network is left behind: " + err.Error()})
		}
	}
	if len(r.plan.want.Own) == 0 {
		return
	}
	removed, err := ship.Prune(ctx, r.plan.want.Own, r.kept())
	if err != nil {
		r.tell(Event{Ship: name, Text: "images are left behind: " + err.Error()})
	}
	if len(removed) > 0 {
		r.tell(Event{Ship: name, Text: "images nobody needs any more are removed: " + strings.Join(removed, ", ")})
	}
}

// kept are the images that no ship may lose.
func (r *rollout) kept() []batuta.Image {
	keep := slices.Clone(r.plan.want.Keep)
	add := func(i Instance) {
		if !slices.Contains(keep, i.Image) {
			keep = append(keep, i.Image)
		}
	}
	for _, i := range r.plan.want.Instances {
		add(i)
	}
	for _, s := range r.plan.want.Services {
		for _, h := range slices.Concat(s.Hooks.Before, s.Hooks.After, s.Hooks.OnFailure) {
			add(h.Instance)
		}
	}
	return keep
}
