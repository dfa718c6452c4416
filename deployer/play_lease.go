package deployer

import (
	"context"
	"maps"
	"slices"
	"sync"

	"batuta"
)

// hold takes the environment's lease on its seats, where an order and a
// deployment meet whatever each of them changes, and on the ships of the play,
// if it will change anything there. The context that it gives ends when the
// lease is lost; release lets go of it. A ship that does not answer is left
// out: its own instances will tell.
func (s *scene) hold(ctx context.Context) (_ context.Context, release func(), _ error) {
	if s.order.Verb == PlayPull { // images are nobody's
		return ctx, func() {}, nil
	}
	var seats []batuta.ShipName
	var asking sync.WaitGroup
	needed, needless := context.WithCancel(ctx)
	defer needless()
	asking.Go(func() { seats = s.seats(needed) })
	ships := s.touched(ctx)
	if len(ships) == 0 {
		needless() // the ships of the play have answered by now
	}
	asking.Wait()
	if len(ships) == 0 {
		return ctx, func() {}, nil
	}
	held, release, err := newLease(s.fleet, s.play.spec.Scope, s.fleet.holder(string(s.order.Verb)), ships, seats).hold(ctx)
	if err != nil {
		return ctx, nil, err
	}
	for _, name := range ships { // what was seen may have changed until the lease was had
		s.ships[name] = newDeck(s, name, s.fleet.ships[name])
	}
	return held, release, nil
}

// seats are those of a plan that is made now: the first ships, by name, that
// answer. As many as are needed are asked at once, and others only in the place
// of those that do not answer.
func (s *scene) seats(ctx context.Context) []batuta.ShipName {
	var out []batuta.ShipName
	for names := slices.Sorted(maps.Keys(s.ships)); len(names) > 0 && len(out) < seats && ctx.Err() == nil; {
		next := names[:min(len(names), seats-len(out))]
		names = names[len(next):]
		answers := make([]bool, len(next))
		var all sync.WaitGroup
		for n, name := range next {
			all.Go(func() { answers[n] = s.answers(ctx, name) })
		}
		all.Wait()
		for n, name := range next {
			if answers[n] {
				out = append(out, name)
			}
		}
	}
	return out
}

// answers tells whether a ship does: one of the play by what it is asked
// anyway, any other in the time that one gets that may not be needed.
func (s *scene) answers(ctx context.Context, name batuta.ShipName) bool {
	var err error
	if slices.ContainsFunc(s.play.parts, func(p *part) bool { return p.Ship == name }) {
		_, err = s.ships[name].containers(ctx)
	} else {
		_, err = s.fleet.containers(ctx, name, s.play.spec.Scope, s.fleet.patience(name))
	}
	return err == nil
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
