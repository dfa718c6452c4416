package deployer

import (
	"context"

	"batuta"
)

// A hook that runs before all else, such as a migration, is not to run twice
// because whoever deployed was killed after it had ended well. Its container
// stands still on the ship until the deployment has ended, and says so.

// keep has the container of a hook that is done stay for now.
func (r *rollout) keep(c Container) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stand = append(r.stand, c)
}

// recalls tells whether a container is that of a hook of this plan which had
// ended well before an earlier deployment of the release was interrupted.
func (r *rollout) recalls(c Container) bool {
	if m, _ := c.hook(); m.Hook != hookBefore || c.alive() || !c.ran() || c.ExitCode != 0 || c.Release != r.plan.Release {
		return false
	}
	for _, wave := range r.waves() {
		for _, g := range r.groups(wave) {
			for n, h := range g.Hooks.Before {
				if i := h.marked(g.service, hookBefore, n); matches(c, &i) {
					r.isDone(i.Name)
					r.keep(c)
					return true
				}
			}
		}
	}
	return false
}

// forgetHooks removes the containers of hooks that are done, once nobody has to
// take the deployment up any more.
func (r *rollout) forgetHooks(ctx context.Context, status batuta.DeploymentStatus) {
	if status == batuta.Applying || r.isLost() {
		return
	}
	for _, c := range r.stand {
		_ = r.fleet.remove(context.WithoutCancel(ctx), c) // the next deployment does it otherwise
	}
}
