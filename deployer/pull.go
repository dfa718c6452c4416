package deployer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"batuta"
)

// load is an image that a ship needs.
type load struct {
	ship  batuta.ShipName
	image batuta.Image
	first batuta.InstanceName // that needs it
}

// pull brings every image that the plan starts to its ship, and reports all
// that could not be had. Each ship pulls a few at a time, and so does the
// fleet: a ship that has its fill holds up no other.
func (r *rollout) pull(ctx context.Context) error {
	rest := r.loads()
	var errs []error
	busy, running := map[batuta.ShipName]int{}, 0
	pulled := make(chan batuta.ShipName)
	var mu sync.Mutex
	for len(rest) > 0 || running > 0 {
		n := slices.IndexFunc(rest, func(l load) bool { return busy[l.ship] < r.fleet.options.PullsPerShip })
		if n < 0 || running == r.fleet.options.Pulls {
			busy[<-pulled]--
			running--
			continue
		}
		l := rest[n]
		copy(rest[1:n+1], rest[:n])
		rest = rest[1:]
		busy[l.ship]++
		running++
		go func() {
			if err := r.pullOne(ctx, l); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
			pulled <- l.ship
		}()
	}
	if err := ended(ctx); err != nil {
		return err
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (r *rollout) pullOne(ctx context.Context, l load) error {
	began := time.Now()
	err := retry(ctx, func() error { return r.fleet.ships[l.ship].Pull(ctx, l.image) })
	if err != nil {
		return fmt.Errorf("pull %s on %s: %w", l.image, l.ship, err)
	}
	r.tell(Event{Ship: l.ship, Instance: l.first, Release: r.plan.Release, Text: "image " + l.image.Digest.Short() + " is there", Took: time.Since(began)})
	return nil
}

// loads lists what each ship has to have before anything is touched, sorted by
// ship: the images of new containers, and those of the hooks.
func (r *rollout) loads() []load {
	of := map[batuta.ShipName][]load{}
	seen := map[load]bool{}
	need := func(i Instance) {
		key := load{ship: i.Ship, image: i.Image}
		if i.Image != (batuta.Image{}) && !seen[key] {
			seen[key] = true
			of[i.Ship] = append(of[i.Ship], load{i.Ship, i.Image, i.Name})
		}
	}
	for _, t := range r.tasks {
		if t.want != nil && t.current == nil {
			need(*t.want)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.plan.Services)) {
		s := r.plan.Services[name]
		for _, hooks := range [][]Hook{s.Hooks.Before, s.Hooks.After, s.Hooks.OnFailure} {
			for _, h := range hooks {
				need(h.Instance)
			}
		}
	}
	return sortedByShip(of)
}

func sortedByShip(of map[batuta.ShipName][]load) []load {
	var out []load
	for _, ship := range slices.Sorted(maps.Keys(of)) {
		out = append(out, of[ship]...)
	}
	return out
}
