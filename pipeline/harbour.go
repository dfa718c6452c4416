package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/deployer"
)

// A ship has so long to tell of itself; less if it was silent already.
const (
	askShip    = 5 * time.Second
	glanceShip = time.Second
)

// ListShips is all ships, by name, as they are now, and how much of each
// environment is on them. It takes no longer than the patience with one ship.
func (p *Pipeline) ListShips(ctx context.Context) ([]ShipStatus, error) {
	names := slices.Sorted(maps.Keys(p.Ships))
	all, err := p.describe(ctx, names)
	for i := range all {
		for j := range all[i].Runs {
			all[i].Runs[j].Containers = nil
		}
	}
	return all, err
}

// ShowShip is one ship as it is now, with all that is on it.
func (p *Pipeline) ShowShip(ctx context.Context, name batuta.ShipName) (ShipStatus, error) {
	if err := p.knowsShip(name); err != nil {
		return ShipStatus{}, err
	}
	all, err := p.describe(ctx, []batuta.ShipName{name})
	if err != nil {
		return ShipStatus{}, err
	}
	return all[0], nil
}

func (p *Pipeline) knowsShip(name batuta.ShipName) error {
	if _, ok := p.Ships[name]; ok {
		return nil
	}
	return &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("no ship %s", name), Hint: "`batuta ships` lists them"}
}

// describe asks the ships about themselves, and at the same time what they run.
func (p *Pipeline) describe(ctx context.Context, names []batuta.ShipName) ([]ShipStatus, error) {
	records, err := p.Store.Ships(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]ShipStatus, len(names))
	var asked sync.WaitGroup
	for i, name := range names {
		ship := p.Ships[name]
		all[i] = ShipStatus{Name: name, Address: ship.Address, Labels: ship.Labels, ShipRecord: records[name]}
		asked.Go(func() { all[i].ask(ctx, ship.Reporter) })
	}
	cargo, err := p.cargo(ctx, names)
	asked.Wait()
	for i := range all {
		all[i].Runs = cargo[all[i].Name]
	}
	return all, err
}

// ask lets the ship tell of itself.
func (s *ShipStatus) ask(ctx context.Context, ship Reporter) {
	patience := askShip
	if !s.Silent.IsZero() {
		patience = glanceShip
	}
	var err error
	if s.Facts, err = put(ctx, patience, ship.Facts); err != nil {
		s.Reason = err.Error()
	}
	s.Reachable = err == nil
}

// put asks a ship something. If it does not answer, the error is Unavailable
// and says why.
func put[T any](ctx context.Context, patience time.Duration, question func(context.Context) (T, error)) (T, error) {
	asked, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer for %s", patience))
	defer cancel()
	answer, err := question(asked)
	switch {
	case err == nil || ctx.Err() != nil:
		return answer, err
	case asked.Err() != nil:
		err = &batuta.Error{Kind: batuta.Unavailable, Err: context.Cause(asked)}
	}
	if e, ok := errors.AsType[*batuta.Error](err); ok && e.Kind == batuta.Unavailable && e.Err != nil {
		err = &batuta.Error{Kind: batuta.Unavailable, Err: e.Err} // that the ship does not answer is plain
	}
	return answer, err
}

// cargo is what all environments have on the ships, by app and environment.
func (p *Pipeline) cargo(ctx context.Context, names []batuta.ShipName) (map[batuta.ShipName][]Cargo, error) {
	scopes, err := p.scopes(ctx, "")
	if err != nil {
		return nil, err
	}
	found := make([]map[batuta.ShipName]Cargo, len(scopes))
	var group errgroup.Group
	group.SetLimit(statusAtOnce)
	for i, s := range scopes {
		group.Go(func() (err error) {
			found[i], err = p.aboard(ctx, s)
			return err
		})
	}
	err = group.Wait()
	out := map[batuta.ShipName][]Cargo{}
	for _, name := range names {
		for _, of := range found {
			if c, ok := of[name]; ok {
				out[name] = append(out[name], c)
			}
		}
	}
	return out, err
}

// aboard is what one environment has on each ship; on those that do not
// answer, what it had there last.
func (p *Pipeline) aboard(ctx context.Context, s deployer.Scope) (map[batuta.ShipName]Cargo, error) {
	have := p.Fleet.Observe(ctx, s)
	if len(have.Unreachable) > 0 {
		seen, err := p.Store.Sightings(ctx, s.App, s.Environment)
		if err != nil {
			return nil, err
		}
		for ship := range have.Unreachable {
			for _, c := range seen[ship] {
				c.State = "unknown"
				have.Containers = append(have.Containers, c)
			}
		}
	}
	out := map[batuta.ShipName]Cargo{}
	for _, c := range p.Fleet.Show(have) {
		of := out[c.Ship]
		of.App, of.Environment = s.App, s.Environment
		of.Instances++
		if c.State == "running" {
			of.Running++
		}
		of.Containers = append(of.Containers, c)
		out[c.Ship] = of
	}
	return out, nil
}

// MarkShip cordons a ship, or opens it again. What Drain does is not done here.
func (p *Pipeline) MarkShip(ctx context.Context, name batuta.ShipName, mark Mark, by, why string) error {
	if err := p.knowsShip(name); err != nil {
		return err
	}
	err := p.Store.MarkShip(ctx, name, mark, by, why)
	if err == nil {
		p.lookAround()
	}
	return err
}
