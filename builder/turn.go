package builder

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"batuta"
)

// turn is one build's claim on a member of a Pool.
type turn struct {
	app     batuta.AppName
	image   string       // as Pool.warm has it
	passed  []*member    // that did not answer to this build
	granted chan *member // takes one, of which the build then has a place
}

// take waits for a place at a member. Who has one must release it.
func (p *Pool) take(ctx context.Context, t *turn, log io.Writer) (*member, error) {
	p.mu.Lock()
	p.waiting = append(p.waiting, t)
	p.grant()
	ahead := slices.Index(p.waiting, t)
	p.mu.Unlock()
	if ahead >= 0 {
		fmt.Fprintln(log, "all builders are at their limits: waiting for one")
	}
	select {
	case m := <-t.granted:
		return m, nil
	case <-ctx.Done():
		return nil, p.leave(ctx, t)
	}
}

// leave takes a build off the queue, or gives back the place that it was
// granted at the same moment.
func (p *Pool) leave(ctx context.Context, t *turn) error {
	p.mu.Lock()
	p.waiting = slices.DeleteFunc(p.waiting, func(other *turn) bool { return other == t })
	p.mu.Unlock()
	select {
	case m := <-t.granted:
		p.release(t, m)
	default:
	}
	return ctx.Err()
}

// release gives a place back, to whoever waits.
func (p *Pool) release(t *turn, m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.running--
	if p.running[t.app]--; p.running[t.app] == 0 {
		delete(p.running, t.app)
	}
	p.grant()
}

// offer gives free places to those who wait.
func (p *Pool) offer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grant()
}

// grant gives free places to the builds whose turn it is, until none fits.
func (p *Pool) grant() {
	now := time.Now()
	for {
		t, m := p.next(now)
		if t == nil {
			return
		}
		p.waiting = slices.DeleteFunc(p.waiting, func(other *turn) bool { return other == t })
		p.turns++
		p.served[t.app] = p.turns
		p.running[t.app]++
		m.running++
		p.warm[t.image] = m
		t.granted <- m
	}
}

// next is the build whose turn it is, with the member for it; nil if no one
// that waits can be placed.
func (p *Pool) next(now time.Time) (first *turn, place *member) {
	for _, t := range p.waiting {
		if first != nil && !p.before(t, first) {
			continue
		}
		if m := p.place(t, now); m != nil {
			first, place = t, m
		}
	}
	return first, place
}

// before tells whether a build's app has a better claim than another's.
func (p *Pool) before(t, other *turn) bool {
	return cmp.Or(
		cmp.Compare(p.running[t.app], p.running[other.app]),
		cmp.Compare(p.served[t.app], p.served[other.app]),
	) < 0
}

// place is the member for a build: the one whose cache is warm, else the one
// with the most room; nil if all are at their limits. One that was silent
// lately is taken only if there is no other at all, full or not.
func (p *Pool) place(t *turn, now time.Time) *member {
	silent := func(m *member) bool { return now.Before(m.silent) }
	candidates := slices.DeleteFunc(slices.Clone(p.members), func(m *member) bool { return slices.Contains(t.passed, m) })
	if answering := slices.DeleteFunc(slices.Clone(candidates), silent); len(answering) > 0 {
		candidates = answering
	}
	var best *member
	for _, m := range candidates {
		switch room := m.Limit - m.running; {
		case room <= 0:
		case m == p.warm[t.image]:
			return m
		case best == nil || room > best.Limit-best.running:
			best = m
		}
	}
	return best
}
