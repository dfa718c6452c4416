package deployer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

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
// fleet.
func (r *rollout) pull(ctx context.Context) error {
	loads := r.loads()
	errs := make([]error, len(loads))
	turns := make(chan struct{}, r.fleet.options.Pulls)
	var all errgroup.Group
	for from := 0; from < len(loads); {
		to := from
		for to < len(loads) && loads[to].ship == loads[from].ship {
			to++
		}
		mine, failed := loads[from:to], errs[from:to]
		all.Go(func() error {
			var ship errgroup.Group
			ship.SetLimit(r.fleet.options.PullsPerShip)
			for n, l := range mine {
				ship.Go(func() error {
					turns <- struct{}{}
					defer func() { <-turns }()
					failed[n] = r.pullOne(ctx, l)
					return nil
				})
			}
			return ship.Wait()
		})
		from = to
	}
	_ = all.Wait() // the errors are in errs
	if err := ended(ctx); err != nil {
		return err
	}
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
	for _, s := range r.plan.Services {
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
