package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// restart replaces what runs, in steps. A step takes one instance of each of
// the services that depend on each other: what requires goes down first, then
// what is required; then they come up the other way round. So of a service
// with several instances only one is away at a time. Services that have
// nothing to do with each other do not wait for each other. With a concurrency
// that many steps are made at once, whatever they belong to.
//
// Before anything is touched, every image is on its ship.
func (s *scene) restart(ctx context.Context) {
	parts := s.changed(ctx, s.loaded(ctx))
	troupes := s.play.troupes(parts)
	if s.order.Concurrency > 0 {
		s.places = nil // the bound is on steps
		s.side(ctx, slices.Concat(troupes...), s.order.Concurrency)
		return
	}
	var all sync.WaitGroup
	for _, steps := range troupes {
		all.Go(func() { s.side(ctx, steps, 1) })
	}
	all.Wait()
}

// loaded pulls the images, and gives the parts whose ship has theirs. An image
// that cannot be had keeps everything as it is; a ship that does not answer
// keeps only its own.
func (s *scene) loaded(ctx context.Context) []*part {
	if !s.order.Reuse {
		var all sync.WaitGroup
		for _, p := range s.play.parts {
			all.Go(func() {
				d, _, err := s.of(ctx, p)
				if err == nil {
					err = d.image(ctx, p, s.order.Refresh)
				}
				if err != nil {
					s.end(p, "", err)
				}
			})
		}
		all.Wait()
	}
	return s.left(ctx)
}

// left are the parts that have not ended. If something failed, they do now.
func (s *scene) left(ctx context.Context) []*part {
	var out []*part
	for _, p := range s.play.parts {
		if err := s.hindrance(ctx, p.needed); err != nil {
			s.end(p, "", err)
		}
		s.mu.Lock()
		if _, over := s.outcome[p]; !over {
			out = append(out, p)
		}
		s.mu.Unlock()
	}
	return out
}

// changed gives the parts that are to be restarted.
func (s *scene) changed(ctx context.Context, parts []*part) []*part {
	if !s.order.OnlyIfChanged {
		return parts
	}
	var out []*part
	for _, p := range parts {
		same, err := s.same(ctx, p)
		switch {
		case err != nil:
			s.end(p, "", err)
		case same != "":
			s.end(p, same, nil)
		default:
			out = append(out, p)
		}
	}
	return out
}

// same tells since when the part runs as declared, with its image of today;
// empty if it does not.
func (s *scene) same(ctx context.Context, p *part) (string, error) {
	d, of, err := s.of(ctx, p)
	c := aliveOf(of)
	if err != nil || c == nil || !c.running() || len(differs(*c, p.Instance)) > 0 {
		return "", err
	}
	if p.Reference != "" {
		id, err := d.find(ctx, p.Reference)
		if err != nil || id != c.ImageID {
			return "", err
		}
	}
	return "unchanged, up for " + Age(time.Since(c.Started)), nil
}

// troupes are the parts, first by what depends on each other, then by steps:
// each has one instance of every service, as long as there are any.
func (p Play) troupes(parts []*part) [][][]*part {
	troupe := map[*part]int{}
	var gather func(q *part, n int)
	gather = func(q *part, n int) {
		if _, has := troupe[q]; has {
			return
		}
		troupe[q] = n
		for _, near := range slices.Concat(q.needs, q.needed) {
			gather(near, n)
		}
		for _, peer := range p.parts {
			if peer.Service == q.Service {
				gather(peer, n)
			}
		}
	}
	var out [][][]*part
	for n, q := range p.parts {
		gather(q, n)
	}
	for n := range p.parts {
		var steps [][]*part
		turn := map[string]int{}
		for _, q := range parts {
			if troupe[q] != n {
				continue
			}
			k := turn[string(q.Service)]
			turn[string(q.Service)]++
			if k == len(steps) {
				steps = append(steps, nil)
			}
			steps[k] = append(steps[k], q)
		}
		if steps != nil {
			out = append(out, steps)
		}
	}
	return out
}

// side makes steps, so many at once, with the delay before each but the first.
func (s *scene) side(ctx context.Context, steps [][]*part, atOnce int) {
	turn := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for n, step := range steps {
		turn <- struct{}{}
		if n > 0 && !s.over(ctx) {
			_ = pause(ctx, s.order.StepDelay) // its end is seen by the step
		}
		all.Go(func() {
			defer func() { <-turn }()
			s.step(ctx, step)
		})
	}
	all.Wait()
}

func (s *scene) over(ctx context.Context) bool { return s.hindrance(ctx, nil) != nil }

// step stops its parts, and starts them.
func (s *scene) step(ctx context.Context, parts []*part) {
	s.all(ctx, parts, true, func(ctx context.Context, p *part) (string, error) {
		s.say(p, "stopping…")
		_, of, err := s.of(ctx, p)
		if c := aliveOf(of); err == nil && c != nil {
			err = s.fleet.stop(ctx, *c)
		}
		return "", err
	})
	if !s.over(ctx) && s.order.StopStartDelay > 0 {
		_ = pause(ctx, s.order.StopStartDelay) // as above
	}
	if s.over(ctx) && !errors.Is(context.Cause(ctx), errLost) { // else another has its say now
		s.resume(ctx, parts)
		return
	}
	s.all(ctx, parts, false, func(ctx context.Context, p *part) (string, error) {
		d, of, err := s.of(ctx, p)
		if err != nil {
			return "", err
		}
		old := stoppedOf(settled(of))
		if s.order.Reuse && old != nil {
			return s.again(ctx, d, p, *old)
		}
		return s.renew(ctx, d, p, settled(of))
	})
}

// settled are the containers as they are after their stop.
func settled(of []Container) []Container {
	out := slices.Clone(of)
	for n := range out {
		if out[n].ran() {
			out[n].State = "exited"
		}
	}
	return out
}

// resume starts again what a step has stopped in vain, because something else
// failed before it could be replaced.
func (s *scene) resume(ctx context.Context, parts []*part) {
	ctx = context.WithoutCancel(ctx)
	for _, p := range parts {
		d, of, err := s.of(ctx, p)
		c := aliveOf(of)
		s.mu.Lock()
		_, over := s.outcome[p]
		s.mu.Unlock()
		if err != nil || over || c == nil {
			s.end(p, "", errAborted)
			continue
		}
		if err := s.fleet.act(ctx, 0, func(ctx context.Context) error { return d.ship.Start(ctx, c.ID) }); err != nil {
			s.end(p, "", fmt.Errorf("start it again: %w", err))
			continue
		}
		s.end(p, "", errAborted)
	}
}
