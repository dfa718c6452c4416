package deployer

import (
	"context"
	"fmt"
	"strings"

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
