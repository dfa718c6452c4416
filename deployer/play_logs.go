package deployer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"batuta"
)

// respawn is how often a container that ended is looked for again.
const respawn = 500 * time.Millisecond

// Printed copies what one instance printed, from the last lines on (negative:
// all). With follow it goes on until ctx ends: when the container ends it says
// so with remark, and attaches to the next one of the instance. The error is
// Invalid if the thing is no single instance, NotFound if it has no container.
func (f *Fleet) Printed(ctx context.Context, spec Spec, thing string, lines int, follow bool, to io.Writer, remark func(string)) error {
	p, err := NewPlay(spec, Order{Verb: PlayLogs, Things: []string{thing}})
	switch {
	case err != nil:
		return err
	case len(p.parts) != 1:
		return invalid(fmt.Sprintf("%s has %d instances", thing, len(p.parts)), "name one of them")
	}
	q := p.parts[0]
	c, ship, err := f.lookUp(ctx, p, q)
	if err != nil {
		return err
	}
	if c == nil {
		return &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("%s has no container on %s", q.Name, q.Ship), Hint: "start it first"}
	}
	for out := to; ; {
		err := ship.Logs(ctx, c.ID, lines, follow, out)
		if err != nil || !follow {
			return err
		}
		remark(fmt.Sprintf("%s ended; waiting for it to come back", q.Name))
		seen, last := f.length(ctx, ship, c.ID), *c
		if c, err = f.next(ctx, p, q, last); err != nil {
			return err
		}
		remark(fmt.Sprintf("%s runs again", q.Name))
		if lines, out = -1, to; c.ID == last.ID { // its log goes on where it was
			out = &tail{to: to, skip: seen}
		}
	}
}

// length is how much a container has printed so far.
func (f *Fleet) length(ctx context.Context, ship Ship, id string) int {
	all := &tail{skip: math.MaxInt}
	if err := ship.Logs(ctx, id, -1, false, all); err != nil {
		return 0 // then it is shown once more
	}
	return math.MaxInt - all.skip
}

// tail leaves out so many bytes.
type tail struct {
	to   io.Writer
	skip int
}

// Write takes what is to be left out, too.
func (t *tail) Write(p []byte) (int, error) {
	left := min(t.skip, len(p))
	t.skip -= left
	if left == len(p) {
		return left, nil
	}
	n, err := t.to.Write(p[left:])
	return left + n, err
}

func (f *Fleet) lookUp(ctx context.Context, p Play, q *part) (*Container, Ship, error) {
	d, of, err := newScene(f, p, nil).of(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	if c := aliveOf(of); c != nil {
		return c, d.ship, nil
	}
	return stoppedOf(of), d.ship, nil
}

// next waits for the instance's next life: another container, or the same one
// started again. A ship that is silent for a moment is asked again.
func (f *Fleet) next(ctx context.Context, p Play, q *part, last Container) (*Container, error) {
	for {
		c, _, err := f.lookUp(ctx, p, q)
		switch {
		case err == nil && c != nil && c.running() && (c.ID != last.ID || c.Started.After(last.Started)):
			return c, nil
		case err != nil && !errors.Is(err, batuta.Unavailable):
			return nil, err
		}
		if err := pause(ctx, respawn); err != nil {
			return nil, err
		}
	}
}
