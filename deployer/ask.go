package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"batuta"
)

// memory is how long a ship that did not answer gets only a glance.
const memory = 30 * time.Second

// silences are the ships that did not answer the last full question, so that
// one dead ship does not slow down everything that does not need it.
type silences struct {
	mu sync.Mutex
	of map[batuta.ShipName]silence
}

type silence struct {
	since time.Time
	why   error
}

// patience is how long a ship is waited for that may not be needed. Once its
// silence is no longer remembered, the next to ask finds out for all.
func (f *Fleet) patience(name batuta.ShipName) time.Duration {
	f.silent.mu.Lock()
	defer f.silent.mu.Unlock()
	s, silent := f.silent.of[name]
	switch {
	case !silent:
		return f.options.Ask
	case time.Since(s.since) < memory:
		return f.options.Glance
	}
	f.silent.of[name] = silence{time.Now(), s.why}
	return f.options.Ask
}

// fully is the patience with a ship that is needed.
func (f *Fleet) fully(batuta.ShipName) time.Duration { return f.options.Ask }

// hear notes that the ship answered.
func (f *Fleet) hear(name batuta.ShipName) {
	f.silent.mu.Lock()
	defer f.silent.mu.Unlock()
	delete(f.silent.of, name)
}

// miss notes that the ship did not answer a question, and gives the reason
// that it had when it was last asked fully.
func (f *Fleet) miss(name batuta.ShipName, why error, fully bool) error {
	f.silent.mu.Lock()
	defer f.silent.mu.Unlock()
	if before, silent := f.silent.of[name]; silent && !fully {
		return before.why
	}
	if f.silent.of == nil {
		f.silent.of = map[batuta.ShipName]silence{}
	}
	f.silent.of[name] = silence{time.Now(), why}
	return why
}

// ask puts a question to a ship, for as long as the patience lasts.
func ask[T any](ctx context.Context, f *Fleet, name batuta.ShipName, patience time.Duration, put func(context.Context, Ship) (T, error)) (T, error) {
	asked, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer for %s", patience))
	defer cancel()
	answer, err := put(asked, f.ships[name])
	switch {
	case err == nil:
		f.hear(name)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case asked.Err() != nil, errors.Is(err, batuta.Unavailable):
		err = f.miss(name, cmp.Or(ended(asked), reason(err)), patience == f.options.Ask)
	}
	return answer, err
}

// reason is why a ship does not answer, without saying again that it does not.
func reason(err error) error {
	if e, ok := errors.AsType[*batuta.Error](err); ok && e.Kind == batuta.Unavailable && e.Err != nil {
		return e.Err
	}
	return err
}

// containers lets a ship say what it runs of the scope.
func (f *Fleet) containers(ctx context.Context, name batuta.ShipName, s Scope, patience time.Duration) ([]Container, error) {
	return ask(ctx, f, name, patience, func(ctx context.Context, ship Ship) ([]Container, error) { return ship.Containers(ctx, s) })
}

// insist asks the ships that are wanted and were only glanced at for as long
// as one that is needed may take.
func (f *Fleet) insist(ctx context.Context, want Spec, have State) State {
	again := map[batuta.ShipName]Ship{}
	for _, i := range want.Instances {
		if have.hasty[i.Ship] {
			again[i.Ship] = f.ships[i.Ship]
		}
	}
	if len(again) == 0 {
		return have
	}
	found := f.observe(ctx, want.Scope, again, f.fully)
	have.Unreachable = maps.Clone(have.Unreachable)
	for name := range again {
		delete(have.Unreachable, name)
	}
	maps.Copy(have.Unreachable, found.Unreachable)
	have.Containers = slices.Concat(have.Containers, found.Containers)
	have = have.sorted()
	return have
}

// returned tells whether the ships that block the plan answer after all; they
// got only a glance when it was made.
func (f *Fleet) returned(ctx context.Context, p Plan) bool {
	was := State{Unreachable: map[batuta.ShipName]string{}, hasty: map[batuta.ShipName]bool{}}
	for _, u := range p.Unreachable {
		was.Unreachable[u.Ship], was.hasty[u.Ship] = u.Why, u.hasty
	}
	return len(p.Clashes) == 0 && Diff(p.want, f.insist(ctx, p.want, was)).blocked() == ""
}
