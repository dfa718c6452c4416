package deployer

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"batuta"
)

// lasting makes sure that what was started is still in its first life. A
// container that crashes at once may be restarted by Docker before anybody
// could wait for its end. Each ship is asked once.
func (r *rollout) lasting(ctx context.Context, g *group, tasks []*task) error {
	started := map[batuta.ShipName][]*task{}
	for _, t := range tasks {
		if t.begun && t.out == nil {
			started[t.Ship] = append(started[t.Ship], t)
		}
	}
	all, ctx := errgroup.WithContext(ctx)
	for ship, tasks := range started {
		all.Go(func() error {
			now, err := r.fleet.containers(ctx, ship, r.plan.Scope, r.fleet.options.Ask)
			if err != nil {
				err = unavailable(ship, err)
			}
			for _, t := range tasks {
				failure := err
				if failure == nil {
					failure = t.lasts(ctx, now)
				}
				if failure == nil {
					continue
				}
				if failure = r.fail(ctx, g, t, failure); failure != nil {
					return failure
				}
			}
			return nil
		})
	}
	return all.Wait()
}

func (t *task) lasts(ctx context.Context, now []Container) error {
	n := slices.IndexFunc(now, func(c Container) bool { return c.ID == t.id })
	switch {
	case n < 0:
		return &batuta.Error{Kind: batuta.Conflict, Message: "somebody removed it"}
	case now[n].running() && now[n].Restarts == 0:
		return nil
	}
	a := t.awaited()
	return a.withTail(ctx, &batuta.Error{Kind: batuta.Unhealthy, Err: &crash{
		Exit{Code: now[n].ExitCode}, fmt.Sprintf("it crashed, and Docker restarted it (%s)", now[n].condition()),
	}})
}
