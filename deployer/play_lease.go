package deployer

import (
	"context"
	"slices"
	"sync"

	"batuta"
)

// hold takes the environment's lease on the ships of the play, if it will
// change anything there. The context that it gives ends when the lease is
// lost; release lets go of it. A ship that does not answer is left out: its
// own instances will tell.
func (s *scene) hold(ctx context.Context) (_ context.Context, release func(), _ error) {
	ships := s.touched(ctx)
	if len(ships) == 0 {
		return ctx, func() {}, nil
	}
	held, release, err := newLease(s.fleet, s.play.spec.Scope, s.fleet.holder(string(s.order.Verb)), ships, nil).hold(ctx)
	if err != nil {
		return ctx, nil, err
	}
	for _, name := range ships { // what was seen may have changed until the lease was had
		s.ships[name] = newDeck(s, name, s.fleet.ships[name])
	}
	return held, release, nil
}

// refuse ends all parts of a play that may not begin.
func (s *scene) refuse() {
	for _, p := range s.play.parts {
		s.end(p, "", errAborted)
	}
}

// touched are the ships that answer and on which the play has something to
// change, sorted.
func (s *scene) touched(ctx context.Context) []batuta.ShipName {
	if s.order.Verb == PlayPull { // images are nobody's
		return nil
	}
	changes := make([]bool, len(s.play.parts))
	var all sync.WaitGroup
	for n, p := range s.play.parts {
		all.Go(func() {
			_, of, err := s.of(ctx, p)
			changes[n] = err == nil && s.order.Verb.changes(of)
		})
	}
	all.Wait()
	var out []batuta.ShipName
	for n, p := range s.play.parts {
		if changes[n] {
			out = append(out, p.Ship)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// changes tells whether the verb has something to do to an instance with these
// containers.
func (v Verb) changes(of []Container) bool {
	alive := aliveOf(of)
	switch v {
	case PlayStart:
		return alive == nil || !alive.running()
	case PlayStop, PlayKill:
		return alive != nil
	case PlayClean:
		return slices.ContainsFunc(of, func(c Container) bool { return !c.alive() })
	case PlayRestart:
		return true
	}
	return false
}
