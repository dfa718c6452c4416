package deployer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"batuta"
)

// Down stops and removes everything of the scope on all ships, its volumes
// aside: what requires others before those. It reports the ships where that
// did not succeed, and goes on with the others.
func (f *Fleet) Down(ctx context.Context, s Scope) error {
	var answering []batuta.ShipName
	var all []Container
	var errs []error
	var mu sync.Mutex
	each(slices.Sorted(maps.Keys(f.ships)), func(name batuta.ShipName) {
		have, err := f.containers(ctx, name, s, f.options.Ask)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			errs = append(errs, unavailable(name, err))
			return
		}
		answering, all = append(answering, name), append(all, have...)
	})
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	}
	for _, together := range inTurn(all) {
		each(together, func(c Container) { note(f.discard(ctx, c)) })
	}
	each(answering, func(name batuta.ShipName) {
		note(f.act(ctx, 0, func(ctx context.Context) error { return f.ships[name].RemoveNetwork(ctx, s) }))
		note(f.endOn(ctx, name, s))
	})
	return errors.Join(errs...)
}

// each does something with all of a list at once, and waits.
func each[T any](list []T, do func(T)) {
	var all sync.WaitGroup
	for _, one := range list {
		all.Go(func() { do(one) })
	}
	all.Wait()
}

// inTurn parts containers into those that stop together, in their order.
func inTurn(all []Container) [][]Container {
	gone := make([]*Container, len(all))
	for n := range all {
		gone[n] = &all[n]
	}
	order := differ{}.farewell(gone)
	var out [][]Container
	for _, c := range all {
		level := order.level(c.Service)
		for len(out) <= level {
			out = append(out, nil)
		}
		out[level] = append(out[level], c)
	}
	return out
}
