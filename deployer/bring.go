package deployer

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// doubtful tells whether the declared container was restarted by Docker while
// what it replaces runs, too: it may only seem to do its work.
func (t *task) doubtful() bool {
	before := t.before()
	return t.Action == Replace && t.current.Restarts > 0 && before != nil && before.running() && before.Restarts == 0
}

// bring has the declared container run and ready. A doubtful one begins anew:
// in its first life it shows whether it stays up.
func (r *rollout) bring(ctx context.Context, t *task) error {
	if t.want == nil {
		return nil
	}
	started := time.Now()
	if t.current == nil || !t.current.running() || t.doubtful() {
		if err := r.start(ctx, t); err != nil {
			return err
		}
	}
	a := t.awaited()
	if t.Action != Keep {
		a.settle = r.fleet.settle(t.want.Checks)
	}
	if t.Action != Keep || !a.passes(ctx) { // what is kept, and does well, is asked once and not watched
		if err := a.ready(ctx); err != nil {
			return err
		}
	}
	t.ready = true
	r.say(t, Ready, "ready", time.Since(started))
	return nil
}

func (t *task) awaited() awaited {
	return awaited{ship: t.ship, id: t.id, checks: t.want.Checks, env: t.want.Env, secrets: t.want.secrets}
}

// start creates the container if there is none, once what has to pass before
// has passed, and starts it.
func (r *rollout) start(ctx context.Context, t *task) error {
	if t.current != nil && t.current.alive() { // restarting, restarted or paused
		if err := r.fleet.stop(ctx, *t.current); err != nil {
			return err
		}
	}
	if t.id == "" {
		if err := r.fleet.lifecycle(ctx, t.ship, "", t.want.Env, t.want.Lifecycle.PreStart); err != nil {
			return fmt.Errorf("before it starts: %w", err)
		}
	}
	return r.fleet.act(ctx, 0, func(ctx context.Context) (err error) {
		t.begun = true
		if t.id == "" {
			if t.id, err = t.ship.Create(ctx, r.plan.Scope, r.plan.Release, *t.want); err != nil {
				return err
			}
			r.say(t, Created, "created", 0)
		}
		if err := t.ship.Start(ctx, t.id); err != nil {
			return err
		}
		r.say(t, Started, "started", 0)
		return nil
	})
}

// makeRoom stops what must not run beside the task's new container: what holds
// its host ports, and all that it replaces if the policy is that the old stops
// first. Otherwise what it replaces goes on until the new one is ready.
func (r *rollout) makeRoom(ctx context.Context, t *task) error {
	old := t.old
	if !t.want.StopFirst && !r.plan.want.Services[t.Service].Update.StopFirst {
		old = slices.DeleteFunc(slices.Clone(old), func(c Container) bool { return !t.barred(c) })
	}
	return r.stopAll(ctx, t, slices.Concat(t.blocks, old))
}

// stopOld stops what the task replaces and still runs.
func (r *rollout) stopOld(ctx context.Context, t *task) error { return r.stopAll(ctx, t, t.old) }

// stopAll stops containers for the task. They all stay, to be started again if
// the deployment fails.
func (r *rollout) stopAll(ctx context.Context, t *task, all []Container) error {
	for _, c := range all {
		if !c.alive() {
			continue
		}
		s, mine := r.claim(c.ID, r.leftTo(t, c))
		if !mine {
			if err := s.wait(ctx); err != nil {
				return fmt.Errorf("stop %s: %w", c.Name, err)
			}
			continue
		}
		t.stopped = append(t.stopped, c)
		s.end(r.fleet.stop(ctx, c))
		if s.err != nil {
			return fmt.Errorf("stop %s: %w", c.Name, s.err)
		}
		kind := Stopped
		if t.want != nil && c.Instance == t.Instance {
			kind = Replaced
		}
		r.sayOf(c, kind, c.Name+" stopped")
	}
	return nil
}

// leftTo tells whether the stopping of what holds the task's host ports is left
// to another task, which replaces it: not before the new one is ready.
func (r *rollout) leftTo(t *task, c Container) bool {
	return slices.ContainsFunc(r.tasks, func(o *task) bool {
		return o != t && o.Action == Replace && o.StopFirst == "" && o.Wave == t.Wave && slices.ContainsFunc(o.old, func(old Container) bool { return old.ID == c.ID })
	})
}

// stopping is a container being stopped by one of the tasks that want it.
type stopping struct {
	done    chan struct{} // closed once it has stopped, or cannot be
	claimed bool          // guarded by the rollout's mutex
	err     error
}

func (s *stopping) end(err error) {
	s.err = err
	close(s.done)
}

func (s *stopping) wait(ctx context.Context) error {
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// claim gives the stopping of a container to the first task that wants it, and
// does not leave it to another; the others wait for it.
func (r *rollout) claim(id string, left bool) (s *stopping, mine bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s = r.off[id]
	if s == nil {
		s = &stopping{done: make(chan struct{})}
		r.off[id] = s
	}
	if s.claimed || left {
		return s, false
	}
	s.claimed = true
	return s, true
}

// claimed tells whether a task stops the container, or has.
func (r *rollout) claimed(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.off[id] != nil && r.off[id].claimed
}

// forgo has whoever waits for the task to stop what it replaces wait no more.
// It is false if somebody else stopped that already, to have its host ports.
func (r *rollout) forgo(t *task) bool {
	own := true
	for _, c := range t.old {
		switch s, mine := r.claim(c.ID, false); {
		case mine:
			s.end(fmt.Errorf("%s is not replaced", c.Name))
		case c.alive() && !t.hasStopped(c):
			own = false
		}
	}
	return own
}
