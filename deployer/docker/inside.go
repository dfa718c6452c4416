package docker

import (
	"context"
	"errors"

	"batuta/deployer"
)

// errElsewhere means that a container could not be shown to be a process of
// this machine, or that its network cannot be entered.
var errElsewhere = errors.New("the container is not within reach of this process")

// probeInside makes one attempt at a check from within the container's own
// network namespace, which needs no bridge, no route and no probe container,
// and cannot end up at another container that has the same address.
func probeInside(ctx context.Context, t target, c deployer.Check) error {
	inside, err := enter(t)
	if err != nil {
		return errors.Join(errElsewhere, err)
	}
	defer inside.Close()
	switch err := attempt(ctx, inside.dial, t.host, c); {
	case errors.Is(err, errElsewhere):
		return err
	case err != nil:
		return unhealthy("%v", err)
	}
	return nil
}
