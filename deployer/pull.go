package deployer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
)

// pull brings every image that the plan starts to its ship, and reports all
// that could not be had.
func (r *rollout) pull(ctx context.Context) error {
	type load struct {
		ship  batuta.ShipName
		image batuta.Image
	}
	seen := map[load]bool{}
	errs := make([]error, len(r.tasks))
	var g errgroup.Group
	g.SetLimit(r.fleet.options.Pulls)
	for n, t := range r.tasks {
		if t.want == nil || t.current != nil || seen[load{t.Ship, t.want.Image}] {
			continue
		}
		seen[load{t.Ship, t.want.Image}] = true
		g.Go(func() error {
			began := time.Now()
			err := retry(ctx, func() error { return t.ship.Pull(ctx, t.want.Image) })
			if err != nil {
				errs[n] = fmt.Errorf("pull %s on %s: %w", t.want.Image, t.Ship, err)
				return nil
			}
			r.say(t.Ship, t.Instance, "image "+t.want.Image.Digest.Short()+" is there", time.Since(began))
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	if err := ended(ctx); err != nil {
		return err
	}
	return errors.Join(errs...)
}
