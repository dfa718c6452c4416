package deployer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"batuta"
)

// act changes something on a ship. Once begun, it is not cut short by the end
// of ctx, so that what it did is known; it is bounded by the fleet's patience
// and extra.
func (f *Fleet) act(ctx context.Context, extra time.Duration, do func(context.Context) error) error {
	if err := ended(ctx); err != nil {
		return err
	}
	patience := f.options.Act + extra
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := do(ctx)
	if err != nil && ctx.Err() != nil {
		return &batuta.Error{Kind: batuta.Unavailable, Message: fmt.Sprintf("the ship did not answer for %s", patience), Err: err}
	}
	return err
}

// stop ends a container as its own specification says, with what has to pass
// before and after.
func (f *Fleet) stop(ctx context.Context, c Container) error {
	spec, _ := recall(c)
	ship := f.ships[c.Ship]
	if c.running() {
		if err := f.lifecycle(ctx, ship, c.ID, spec.variables(), spec.Lifecycle.PreStop); err != nil {
			return fmt.Errorf("before its stop: %w", err)
		}
	}
	if err := f.halt(ctx, c); err != nil {
		return err
	}
	return f.stopped(ctx, c, spec)
}

// halt ends a container without further ado.
func (f *Fleet) halt(ctx context.Context, c Container) error {
	timeout := defaultStopTimeout
	if spec, known := recall(c); known {
		timeout = spec.StopTimeout
	}
	return f.act(ctx, timeout, func(ctx context.Context) error { return f.ships[c.Ship].Stop(ctx, c.ID, timeout) })
}

// kill ends a container at once.
func (f *Fleet) kill(ctx context.Context, c Container) error {
	spec, _ := recall(c)
	if err := f.act(ctx, 0, func(ctx context.Context) error { return f.ships[c.Ship].Kill(ctx, c.ID) }); err != nil {
		return err
	}
	return f.stopped(ctx, c, spec)
}

// stopped waits for what has to pass once a container has stopped.
func (f *Fleet) stopped(ctx context.Context, c Container, spec fingerprint) error {
	if err := f.lifecycle(ctx, f.ships[c.Ship], c.ID, spec.variables(), spec.Lifecycle.Stopped); err != nil {
		return fmt.Errorf("after its stop: %w", err)
	}
	return nil
}

// lifecycle waits until all checks of one stage of a container's life have
// passed. Before its creation it has no id, and only checks that run here, or
// ask outside, can pass. Env is what local commands get of its variables.
func (f *Fleet) lifecycle(ctx context.Context, ship Ship, id string, env []Variable, checks []Check) error {
	return awaited{ship: ship, id: id, checks: checks, env: env}.pass(ctx)
}

func (f *Fleet) remove(ctx context.Context, c Container) error {
	return f.act(ctx, 0, func(ctx context.Context) error { return f.ships[c.Ship].Remove(ctx, c.ID) })
}

// discard stops and removes a container.
func (f *Fleet) discard(ctx context.Context, c Container) error {
	err := f.stop(ctx, c)
	if err == nil {
		err = f.remove(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("remove %s on %s: %w", c.Instance, c.Ship, err)
	}
	return nil
}

// settle is how long a container with these checks must run to count as
// stable.
func (f *Fleet) settle(checks []Check) time.Duration {
	if len(checks) == 0 {
		return f.options.SettleBlindly
	}
	return f.options.Settle
}

// The attempts at what may fail for a moment, and the pause after the first;
// it doubles each time.
const (
	attempts   = 3
	firstPause = 500 * time.Millisecond
)

// retry repeats what fails because something does not answer.
func retry(ctx context.Context, do func() error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := do()
		if err == nil || n == attempts || !errors.Is(err, batuta.Unavailable) {
			return err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return err
		}
	}
}
