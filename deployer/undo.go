package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"batuta"
)

// undo puts back what ran before, latest change first, after the cause made
// the deployment fail. It goes on although ctx has ended.
func (r *rollout) undo(ctx context.Context, cause error) (Outcome, error) {
	outcome := r.outcome(ctx)
	if outcome.Status == batuta.Applying {
		return outcome, cause
	}
	if why := r.untouchable(ctx, cause); why != "" {
		return r.abandon(ctx, cause, why)
	}
	cancelled := ctx.Err() != nil
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), r.fleet.options.Undo, fmt.Errorf("gave up after %s", r.fleet.options.Undo))
	defer cancel()
	defer r.whenLost(cancel)()
	var errs []error
	stuck := map[batuta.ServiceName]bool{} // those of which not all is put back
	waves := r.waves()
	slices.Reverse(waves)
	for _, wave := range waves {
		errs = append(errs, r.undoWave(ctx, wave, stuck)...)
	}
	if outcome.Undone = errors.Join(errs...); outcome.Undone != nil {
		outcome.Status = batuta.Failed
		cause = &batuta.Error{Kind: kindOf(cause), Err: fmt.Errorf("%w\nand what ran before is not all back: %w", cause, outcome.Undone)}
	}
	r.waive(ctx, stuck)
	r.oweAgain(ctx, func(g *group) bool { return stuck[g.service] })
	if outcome.Undone == nil {
		_ = r.end(ctx) // what runs is whole, even if nobody hears of it
	}
	if !cancelled {
		r.onFailure(ctx)
	}
	return outcome, cause
}

// outcome is how it ends when all is as it was before.
func (r *rollout) outcome(ctx context.Context) Outcome {
	switch {
	case errors.Is(context.Cause(ctx), ErrSuspended):
		return Outcome{Status: batuta.Applying}
	case ctx.Err() != nil:
		return Outcome{Status: batuta.Cancelled}
	case r.ranBefore() && slices.ContainsFunc(r.tasks, (*task).touched):
		return Outcome{Status: batuta.RolledBack}
	}
	return Outcome{Status: batuta.Failed}
}

// refused is the outcome of a plan that was not begun.
func (r *rollout) refused(ctx context.Context) Outcome {
	outcome := r.outcome(ctx)
	if outcome.Status == batuta.RolledBack {
		outcome.Status = batuta.Failed
	}
	return outcome
}

// touched tells whether there is anything to undo.
func (t *task) touched() bool { return t.begun || len(t.stopped) > 0 || t.interrupted }

// ranBefore tells whether there was anything of the environment.
func (r *rollout) ranBefore() bool {
	return slices.ContainsFunc(r.tasks, func(t *task) bool { return t.Action != Start })
}

// undoWave undoes a wave's tasks in the reverse of carryOut's order. Once one
// of a service whose old and new cannot run side by side is away for good, the
// new ones of it that serve are left to serve. It notes the services of which
// anything is left.
func (r *rollout) undoWave(ctx context.Context, wave []*task, stuck map[batuta.ServiceName]bool) (errs []error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	away := map[batuta.ServiceName]bool{}
	order := slices.Clone(wave)
	slices.Reverse(order)
	slices.SortStableFunc(order, func(a, b *task) int { return compareBool(b.apart(), a.apart()) }) // they may hold the others' host ports
	for _, t := range order {
		if t.out != nil {
			continue // it is back already
		}
		undo := func() error {
			err := r.undoTask(ctx, t)
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				stuck[t.Service] = true
				errs = append(errs, fmt.Errorf("put back %s on %s: %w", t.Instance, t.Ship, err))
			}
			return err
		}
		switch {
		case !t.apart():
			all.Go(func() { _ = undo() }) // the error is in errs
		case t.ready && t.Action != Keep && away[t.Service]:
			mu.Lock()
			stuck[t.Service] = true
			errs = append(errs, fmt.Errorf("put back %s on %s: left to serve, as others of %s are away", t.Instance, t.Ship, t.Service))
			mu.Unlock()
		case undo() != nil:
			away[t.Service] = true
		}
	}
	all.Wait()
	slices.SortFunc(errs, func(a, b error) int { return compareNames(a.Error(), b.Error()) })
	return errs
}

// undoTask has the old run again before the new goes, unless they cannot run
// side by side. A new one that was ready stays if the old does not come back.
func (r *rollout) undoTask(ctx context.Context, t *task) error {
	if t.touched() {
		r.say(t, "", "putting back what ran before", 0)
	}
	if t.apart() {
		return errors.Join(r.drop(ctx, t), r.revive(ctx, t))
	}
	err := r.revive(ctx, t)
	if err != nil && (t.ready || t.serves(ctx)) {
		return err
	}
	return errors.Join(err, r.drop(ctx, t))
}

// serves tells whether the declared container was found running, and passes its
// checks.
func (t *task) serves(ctx context.Context) bool {
	return t.current != nil && t.current.running() && t.awaited().passes(ctx)
}

// apart tells whether old and new cannot run side by side. A deployment that
// was killed may have left the new one with the old one's host port.
func (t *task) apart() bool {
	before := t.before()
	return t.StopFirst != "" || t.want != nil && before != nil && t.barred(*before)
}

// barred tells whether a container holds a host port that the task's new one is
// to have.
func (t *task) barred(c Container) bool {
	return c.Ship == t.Ship && slices.ContainsFunc(t.want.onHost(), func(p Port) bool { return slices.ContainsFunc(c.held(), p.clashes) })
}

// revive starts what was stopped for the task and waits until it is ready.
func (r *rollout) revive(ctx context.Context, t *task) error {
	var errs []error
	for _, c := range t.lost() {
		spec, _ := recall(c)
		ship := r.fleet.ships[c.Ship]
		runs := c.alive() && !t.hasStopped(c)
		if runs && r.claimed(c.ID) {
			continue // by another task, which starts it again
		}
		var err error
		if !runs {
			err = r.fleet.act(ctx, 0, func(ctx context.Context) error { return ship.Start(ctx, c.ID) })
		}
		if err == nil {
			err = awaited{ship: ship, id: c.ID, checks: spec.Checks, settle: r.fleet.settle(spec.Checks)}.ready(ctx)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("start %s again: %w", c.Name, err))
			continue
		}
		if !runs {
			r.sayOf(c, Started, c.Name+" runs again")
		}
	}
	return errors.Join(errs...)
}

// lost are the containers that should run if the task never was: those it
// stopped, or the one that a deployment before it, which was killed, stopped or
// has started again.
func (t *task) lost() []Container {
	if !t.interrupted && (t.want == nil || !t.begun || t.current != nil) {
		return t.stopped
	}
	c := t.before()
	if c == nil || !c.ran() || t.hasStopped(*c) || c.alive() && (!t.interrupted || t.want == nil) {
		return t.stopped
	}
	return append(slices.Clone(t.stopped), *c)
}

func (t *task) hasStopped(c Container) bool {
	return slices.ContainsFunc(t.stopped, func(x Container) bool { return x.ID == c.ID })
}

// drop removes the task's new container.
func (r *rollout) drop(ctx context.Context, t *task) error {
	if t.want == nil || t.Action == Keep || !t.begun && !t.interrupted {
		return nil
	}
	before := t.before()
	if t.Action == Restart || t.current != nil && !t.interrupted && (before == nil || !before.alive()) {
		return r.still(ctx, t) // it was there, and beside it only what was left behind
	}
	ids := []string{t.id}
	if t.id == "" { // the ship may have made it, and not been able to say so
		containers, err := r.fleet.containers(ctx, t.Ship, r.plan.Scope, r.fleet.options.Ask)
		if err != nil {
			return unavailable(t.Ship, err)
		}
		ids = nil
		for _, c := range containers {
			if matches(c, t.want) {
				ids = append(ids, c.ID)
			}
		}
	}
	var errs []error
	for _, id := range ids {
		c := Container{ID: id, Ship: t.Ship, Spec: t.want.Spec}
		if t.ready { // it may be serving
			errs = append(errs, r.fleet.stop(ctx, c))
		}
		if err := r.fleet.remove(ctx, c); err != nil {
			errs = append(errs, err)
			continue
		}
		r.say(t, Removed, "the new container is removed", 0)
	}
	return errors.Join(errs...)
}

// still stops the task's container, which was there before, if it did not run
// then and does badly now.
func (r *rollout) still(ctx context.Context, t *task) error {
	if !t.unfit || t.current == nil || t.current.alive() {
		return nil
	}
	return r.fleet.halt(ctx, *t.current)
}

// kindOf is the kind of an error of the vocabulary; Internal otherwise.
func kindOf(err error) batuta.Kind {
	if e, ok := errors.AsType[*batuta.Error](err); ok {
		return e.Kind
	}
	return batuta.Internal
}
