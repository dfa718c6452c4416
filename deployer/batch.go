package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
)

// group is tasks of one wave that go their own way: those of a service that
// has a policy or hooks of its own, or those of all others together.
type group struct {
	service batuta.ServiceName // empty: of all others
	Service
	all   int // instances that are declared
	tasks []*task

	failed int // that were put back; guarded by the rollout's mutex
}

// groups divides a wave's tasks, in their order.
func (r *rollout) groups(wave []*task) []*group {
	var out []*group
	of := map[batuta.ServiceName]*group{}
	for _, t := range wave {
		var name batuta.ServiceName
		service := r.plan.want.Services[t.Service]
		if t.Action == Stop || !service.special() {
			service = Service{}
		} else {
			name = t.Service
		}
		g := of[name]
		if g == nil {
			g = &group{service: name, Service: service, all: r.plan.want.count(name)}
			of[name] = g
			out = append(out, g)
		}
		g.tasks = append(g.tasks, t)
	}
	return out
}

// special tells whether the service is treated otherwise than all are that say
// nothing. The order of old and new is each change's own.
func (s Service) special() bool {
	s.Update.StopFirst = false
	return s.Update != Update{} || len(s.Hooks.Before)+len(s.Hooks.After)+len(s.Hooks.OnFailure) > 0
}

// count is how many instances the service has.
func (s Spec) count(service batuta.ServiceName) (n int) {
	for i := range s.Instances {
		if s.Instances[i].Service == service {
			n++
		}
	}
	return n
}

// changes tells whether anything happens to the service.
func (g *group) changes() bool {
	return slices.ContainsFunc(g.tasks, func(t *task) bool { return t.Action != Keep })
}

// carryOut makes the changes of one wave, each group by itself.
func (r *rollout) carryOut(ctx context.Context, wave []*task) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, g := range r.groups(wave) {
		all.Go(func() error { return r.update(ctx, g) })
	}
	return all.Wait()
}

// update takes one group from old to new, batch by batch.
func (r *rollout) update(ctx context.Context, g *group) error {
	r.enter(g)
	if err := r.before(ctx, g); err != nil {
		return err
	}
	batches := g.batches()
	for n, b := range batches {
		b.asCanary(b.canary)
		if err := r.exchange(ctx, g, b); err != nil {
			return err
		}
		if n == len(batches)-1 {
			break
		}
		if b.canary {
			if err := r.watch(ctx, g, b.tasks, max(g.Update.Watch, canaryWatch)); err != nil {
				return err
			}
			b.asCanary(false)
		}
		if err := pause(ctx, g.Update.Wait); err != nil {
			return err
		}
	}
	return g.someLeft()
}

// someLeft tells whether the failures that were tolerated leave any instance of
// the service as it is declared: a release of which nothing runs is not live.
func (g *group) someLeft() error {
	var last error
	for _, t := range g.tasks {
		switch {
		case t.want == nil:
		case t.out == nil:
			return nil
		default:
			last = t.error(t.out)
		}
	}
	if last == nil {
		return nil
	}
	return &failure{g.service, fmt.Sprintf("update %s: no instance of it is left as declared, which no tolerance covers", g.service), last}
}

// asCanary has a failure of the batch's tasks be tolerated no more, or again.
func (b batch) asCanary(is bool) {
	for _, t := range b.tasks {
		t.canary = is
	}
}

// enter notes that something of the group may have happened from now on.
func (r *rollout) enter(g *group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = append(r.begun, g)
}

// batch is tasks whose old and new change places together.
type batch struct {
	tasks  []*task
	apart  bool // the old stops first
	canary bool
}

// batches divides the group's tasks: first those whose old and new can run
// side by side, all at once unless the policy says less; then the others, one
// at a time unless the policy says more, never two on one ship. What stays as
// it is comes with the first.
func (g *group) batches() []batch {
	var kept, beside, apart []*task
	for _, t := range g.tasks {
		switch {
		case t.StopFirst != "":
			apart = append(apart, t)
		case t.Action == Keep:
			kept = append(kept, t)
		default:
			beside = append(beside, t)
		}
	}
	var out []batch
	canary, atOnce := g.Update.Canary.Of(g.all), g.Update.AtOnce.Of(g.all)
	next := func(otherwise int) (size int, first bool) {
		switch {
		case len(out) == 0 && canary > 0:
			return canary, true
		case atOnce > 0:
			return atOnce, false
		}
		return otherwise, false
	}
	peersFirst(beside)
	for len(beside) > 0 {
		size, first := next(len(beside))
		size = min(size, len(beside), apartFromPeers(beside))
		out, beside = append(out, batch{tasks: beside[:size], canary: first}), beside[size:]
	}
	peersFirst(apart)
	for len(apart) > 0 {
		size, first := next(1)
		b := batch{apart: true, canary: first}
		b.tasks, apart = berths(apart, size)
		out = append(out, b)
	}
	if len(kept) > 0 {
		if len(out) == 0 || out[0].apart {
			out = slices.Insert(out, 0, batch{})
		}
		out[0].tasks = slices.Concat(kept, out[0].tasks)
	}
	return out
}

// berths takes up to n tasks on different ships, in their order.
func berths(from []*task, n int) (taken, rest []*task) {
	on := map[batuta.ShipName]bool{}
	for _, t := range from {
		if len(taken) < n && !on[t.Ship] {
			on[t.Ship] = true
			taken = append(taken, t)
		} else {
			rest = append(rest, t)
		}
	}
	return taken, rest
}

// exchange has the batch's new containers do the work of the old.
func (r *rollout) exchange(ctx context.Context, g *group, b batch) error {
	var first []func(context.Context, *task) error
	if b.apart {
		first = append(first, r.makeRoom)
	}
	if err := r.attempt(ctx, g, b.tasks, append(first, r.bring)...); err != nil {
		return err
	}
	if err := r.lasting(ctx, g, b.tasks); err != nil {
		return err
	}
	return r.attempt(ctx, g, b.tasks, r.stopOld)
}

// attempt takes those tasks through the acts that have not failed, all at once.
// The first failure that is not tolerated ends the waiting of all.
func (r *rollout) attempt(ctx context.Context, g *group, tasks []*task, acts ...func(context.Context, *task) error) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, t := range tasks {
		if t.out != nil {
			continue
		}
		all.Go(func() error {
			for _, act := range acts {
				if err := act(ctx, t); err != nil {
					return r.fail(ctx, g, t, err)
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// fail deals with a task that failed: if the group tolerates it, and what it
// replaces can go on, the task is put back and nil returned.
func (r *rollout) fail(ctx context.Context, g *group, t *task, err error) error {
	if ended(ctx) != nil {
		return t.error(err)
	}
	r.sayFailed(t, err)
	t.unfit = errors.Is(err, batuta.Unhealthy)
	if t.canary || !r.mayFail(g) || !r.forgo(t) {
		return t.error(err)
	}
	if back := r.putBack(ctx, t); back != nil {
		return t.error(errors.Join(err, back))
	}
	t.out = err
	r.say(t, "", "put back; the others go on", 0)
	return nil
}

// mayFail counts a failure, and tells whether the group can bear it.
func (r *rollout) mayFail(g *group) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	g.failed++
	return g.failed <= g.Update.Tolerate.Of(g.all)
}

// putBack undoes one task, once it is begun however ctx ends.
func (r *rollout) putBack(ctx context.Context, t *task) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.fleet.options.Undo)
	defer cancel()
	return r.undoTask(ctx, t)
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ended(ctx)
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
