package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
)

const (
	canaryWatch = 10 * time.Second // at least so long is a canary looked at before the others begin
	misses      = 3                // so many attempts at a check must fail in a row before a watched container has failed
)

// watchAll looks on as what is new does its work, for as long as each
// service's policy says. All services are watched at the same time.
func (r *rollout) watchAll(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, g := range r.begun {
		if g.Update.Watch > 0 && g.changes() {
			all.Go(func() error { return r.watch(ctx, g, g.tasks, g.Update.Watch) })
		}
	}
	return all.Wait()
}

// watch looks on as the tasks' new containers do their work: they must go on
// passing their checks, and neither end nor be started again by Docker.
func (r *rollout) watch(ctx context.Context, g *group, tasks []*task, d time.Duration) error {
	var begun []*task
	for _, t := range tasks {
		if t.want != nil && (t.begun || t.interrupted) && t.out == nil {
			begun = append(begun, t)
		}
	}
	if len(begun) == 0 {
		return nil
	}
	r.tell(Event{Ship: begun[0].Ship, Service: g.service, Instance: begun[0].Instance, Text: fmt.Sprintf("%d of %s watched for %s", len(begun), g.service, d)})
	err := r.attempt(ctx, g, begun, func(ctx context.Context, t *task) error { return t.awaited().stays(ctx, d) })
	if err != nil {
		return err
	}
	return r.lasting(ctx, g, begun)
}

// stays waits for so long, and tells whether the container did well meanwhile.
// That the ship does not answer for a moment is not the container's fault.
func (a awaited) stays(ctx context.Context, d time.Duration) error {
	watched, enough := context.WithTimeout(ctx, d)
	defer enough()
	g, watching := errgroup.WithContext(watched)
	g.Go(func() error {
		exit, err := a.ship.Wait(watching, a.id)
		if err != nil || watching.Err() != nil {
			<-watching.Done()
			return nil
		}
		return &batuta.Error{Kind: batuta.Unhealthy, Err: &crash{exit, exit.String() + ", after it was ready"}}
	})
	for _, c := range a.checks {
		g.Go(func() error { return a.keepsPassing(watching, c) })
	}
	err := g.Wait()
	if cause := ended(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, batuta.Unhealthy) {
		return a.withTail(ctx, err)
	}
	return err
}

// keepsPassing makes attempts at a check until ctx ends or too many in a row
// fail.
func (a awaited) keepsPassing(ctx context.Context, c Check) error {
	if c.Type == CheckSleep {
		return nil
	}
	for missed := 0; ; {
		if pause(ctx, cmp.Or(c.Interval, defaultInterval)) != nil {
			return nil
		}
		err := a.probe(ctx, c)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			missed = 0
			continue
		case errors.Is(err, batuta.Unavailable):
			continue
		}
		if missed++; missed == misses {
			return a.unhealthy(fmt.Sprintf("%s: %v, %d times in a row after it was ready", c, err, misses))
		}
	}
}
