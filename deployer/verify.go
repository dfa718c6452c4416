package deployer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
)

// Verify tells whether an environment is healthy: everything runs as the
// plan's document declares, and each check passes at its first attempt. It
// changes nothing. The error says what is not so: Unhealthy, or Unavailable if
// a ship that is needed does not answer.
func (f *Fleet) Verify(ctx context.Context, plan Plan) error {
	if err := plan.obstacle(); err != nil {
		return err
	}
	if !plan.Empty() {
		return &batuta.Error{Kind: batuta.Unhealthy, Message: "what runs is not what was deployed: " + strings.Join(strings.Split(strings.TrimSpace(plan.String()), "\n"), "; ")}
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range plan.Changes {
		a := awaited{ship: f.ships[c.Ship], id: c.Container}
		for _, check := range c.want.Checks {
			g.Go(func() error {
				if err := a.probe(ctx, check); err != nil {
					return &batuta.Error{Kind: batuta.Unhealthy, Message: fmt.Sprintf("%s on %s: %s", c.Instance, c.Ship, check), Err: err}
				}
				return nil
			})
		}
	}
	return g.Wait()
}

// second is how long after a check that failed it is made once more.
const second = time.Second

// Ails tells why the container that a change keeps does not pass its checks of
// readiness, at two attempts; nil if it does, or if nobody can know. Docker's
// own health check, which the ship tells of itself, is left out, and so are
// commands that run here and waiting.
func (f *Fleet) Ails(ctx context.Context, c Change) error {
	if c.Action != Keep || c.want == nil {
		return nil
	}
	a := awaited{ship: f.ships[c.Ship], id: c.Container}
	var checks errgroup.Group
	for _, check := range c.want.Checks {
		if check.Type == CheckHealth || check.Type == CheckLocal || check.Type == CheckSleep {
			continue
		}
		checks.Go(func() error {
			err := a.probe(ctx, check)
			if err != nil && pause(ctx, second) == nil {
				err = a.probe(ctx, check)
			}
			if err == nil || ctx.Err() != nil || errors.Is(err, batuta.Unavailable) {
				return nil
			}
			return fmt.Errorf("%s: %w", check, err)
		})
	}
	return checks.Wait()
}
