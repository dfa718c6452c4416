package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
)

const (
	firstPoll = 10 * time.Millisecond // then a quarter longer each time, up to the check's interval
	tailLines = 20
	tailWait  = 10 * time.Second
)

// awaited is a container that has to become ready.
type awaited struct {
	ship    Ship
	id      string
	checks  []Check
	env     []Variable    // what checks that run here get of its variables
	settle  time.Duration // it must still run after this long
	secrets []string      // never to be shown
}

// ready waits until all checks pass and the container has run for its time to
// settle. If it ends meanwhile, or a check does not pass in time, the error is
// Unhealthy and ends with the last lines it printed.
func (a awaited) ready(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	watch, enough := context.WithCancel(gctx)
	g.Go(func() error {
		exit, err := a.ship.Wait(watch, a.id)
		switch {
		case watch.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		return &batuta.Error{Kind: batuta.Unhealthy, Err: &crash{exit, exit.String()}}
	})
	g.Go(func() error {
		defer enough()
		began := time.Now()
		if err := a.pass(gctx); err != nil {
			return err
		}
		return pause(gctx, a.settle-time.Since(began))
	})
	err := g.Wait()
	if cause := ended(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, batuta.Unhealthy) {
		return a.withTail(ctx, err)
	}
	return err
}

// passes tells whether every check passes at the first attempt.
func (a awaited) passes(ctx context.Context) bool {
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range a.checks {
		g.Go(func() error { return a.probe(ctx, c) })
	}
	return g.Wait() == nil
}

// pass waits until every check has passed once.
func (a awaited) pass(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range a.checks {
		g.Go(func() error { return a.poll(ctx, c) })
	}
	return g.Wait()
}

// poll makes attempts at a check until one passes.
func (a awaited) poll(ctx context.Context, c Check) error {
	if c.Type == CheckSleep {
		return pause(ctx, c.Wait)
	}
	deadline, cancel := context.WithTimeout(ctx, cmp.Or(c.MaxWait, defaultMaxWait))
	defer cancel()
	var last error
	pause := firstPoll
	if c.Attempts > 0 {
		pause = c.Interval
	}
	for attempt := 1; ; attempt, pause = attempt+1, min(pause+pause/4, max(c.Interval, firstPoll)) {
		err := a.probe(deadline, c)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, batuta.Invalid): // the next attempt would be no better
			return fmt.Errorf("%s: %w", c, err)
		case attempt == c.Attempts && deadline.Err() == nil:
			return a.unhealthy(fmt.Sprintf("%s: %v at %d attempts", c, err, attempt))
		}
		if deadline.Err() == nil || last == nil {
			last = err // what an attempt says that is cut short tells nothing
		}
		select {
		case <-time.After(pause):
			continue
		case <-deadline.Done():
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return a.unhealthy(fmt.Sprintf("%s: %v for %s", c, last, c.MaxWait))
	}
}

// probe makes one attempt at a check: in the container, or here if the check
// says so. A sleep has nothing to attempt.
func (a awaited) probe(ctx context.Context, c Check) error {
	if c.Type == CheckSleep {
		return nil
	}
	timeout := cmp.Or(c.Timeout, c.MaxWait, defaultTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	var err error
	switch {
	case c.Type == CheckLocal:
		err = a.command(ctx, c)
	case c.Outside != "":
		err = outside(ctx, c)
	default:
		err = a.ship.Probe(ctx, a.id, c)
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.Cause(ctx)
	}
	return err
}

func (a awaited) unhealthy(message string) error {
	return &batuta.Error{Kind: batuta.Unhealthy, Message: message}
}

// withTail adds the last lines that the container printed, as far as the ship
// can still give them.
func (a awaited) withTail(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tailWait)
	defer cancel()
	lines, err := a.ship.Tail(ctx, a.id, tailLines)
	switch {
	case err != nil:
		lines = []string{"(not to be had: " + err.Error() + ")"}
	case len(lines) == 0:
		lines = []string{"(nothing)"}
	}
	text := cause.Error() + "\nthe last it printed:" + a.blank("\n  "+strings.Join(lines, "\n  "))
	if c, crashed := errors.AsType[*crash](cause); crashed {
		return &batuta.Error{Kind: batuta.Unhealthy, Err: &crash{c.Exit, text}}
	}
	return &batuta.Error{Kind: batuta.Unhealthy, Message: text}
}

// blank hides the secrets in a text.
func (a awaited) blank(text string) string {
	for _, s := range a.secrets {
		if len(s) > 2 { // shorter ones would blacken the text and hide nothing
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	return text
}

// crash is the end of a container that nobody asked for.
type crash struct {
	Exit
	text string
}

func (c *crash) Error() string { return c.text }

// String is the end for a person: exited 1.
func (e Exit) String() string {
	switch {
	case e.Error != "":
		return "did not start: " + e.Error
	case e.OOMKilled:
		return fmt.Sprintf("exited %d: it ran out of memory", e.Code)
	}
	return fmt.Sprintf("exited %d", e.Code)
}
