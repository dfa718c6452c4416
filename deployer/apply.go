package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
)

// ErrSuspended, as the cause of a cancelled context, makes Apply stop where it
// is and undo nothing: the same specification, planned and applied again, ends
// in the same state. For a caller that cannot wait until Apply has ended.
var ErrSuspended = errors.New("suspended, to be resumed")

// Outcome is how a deployment ended.
type Outcome struct {
	Status batuta.DeploymentStatus
	Undone error // why not everything that ran before could be put back; nil if it could
}

// Apply follows the plan and nothing else. Everything that can be checked is
// checked, and every image is on its ship, before anything is touched. Then,
// wave by wave, what is new starts and must become ready before what is old
// stops. If anything fails, or ctx ends, all is put back as it was.
//
// The outcome tells what became of the environment: the error why it is not
// Live (Conflict: the plan no longer fits what runs; Unavailable: a ship or a
// registry does not answer; Unhealthy: what was started does not work). Log,
// which may be nil, is called for each event, never at the same time.
func (f *Fleet) Apply(ctx context.Context, plan Plan, log func(Event)) (Outcome, error) {
	r := newRollout(f, plan, log)
	if err := r.preflight(ctx); err != nil {
		return r.refused(ctx), err
	}
	if err := r.pull(ctx); err != nil {
		return r.undo(ctx, err)
	}
	for _, wave := range r.waves() {
		if err := r.carryOut(ctx, wave); err != nil {
			return r.undo(ctx, err)
		}
	}
	r.clean(ctx)
	return Outcome{Status: batuta.Live}, nil
}

// rollout is one plan being applied.
type rollout struct {
	fleet *Fleet
	plan  Plan
	tasks []*task // of the plan's changes, in their order

	mu  sync.Mutex // guards what follows
	log func(Event)
	off map[string]bool // containers that were stopped
}

// task is one change being made.
type task struct {
	Change
	ship    Ship
	begun   bool        // a container may be there that was not there before
	id      string      // the container as declared, once it is known
	ready   bool        // it was ready
	stopped []Container // what was stopped for it
}

func newRollout(f *Fleet, plan Plan, log func(Event)) *rollout {
	r := &rollout{fleet: f, plan: plan, log: log, off: map[string]bool{}}
	for _, c := range plan.Changes {
		r.tasks = append(r.tasks, &task{Change: c, ship: f.ships[c.Ship], id: c.Container})
	}
	return r
}

// waves groups the tasks.
func (r *rollout) waves() [][]*task {
	var out [][]*task
	for rest := r.tasks; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(t *task) bool { return t.Wave != rest[0].Wave })
		if n < 0 {
			n = len(rest)
		}
		out, rest = append(out, rest[:n]), rest[n:]
	}
	return out
}

// preflight makes sure that the plan can be applied and still fits what runs.
func (r *rollout) preflight(ctx context.Context) error {
	if err := r.plan.obstacle(); err != nil {
		if r.fleet.returned(ctx, r.plan) {
			return &batuta.Error{Kind: batuta.Conflict, Message: "a ship that did not answer when the plan was made is back", Hint: "plan again"}
		}
		return cmp.Or(ended(ctx), err)
	}
	if r.plan.want.Scope != r.plan.Scope {
		return &batuta.Error{Kind: batuta.Internal, Message: "a plan that was read from JSON cannot be applied"}
	}
	have := r.fleet.observe(ctx, r.plan.Scope, r.fleet.answered(r.plan), r.fleet.patience)
	if err := ended(ctx); err != nil {
		return err
	}
	now := r.fleet.Compare(ctx, r.plan.want, have)
	if err := cmp.Or(ended(ctx), now.obstacle()); err != nil {
		return err
	}
	now.Unreachable = append(now.Unreachable, r.plan.Unreachable...)
	if now.Hash() != r.plan.Hash() {
		return &batuta.Error{Kind: batuta.Conflict, Message: "what runs is no longer what the plan was made for", Hint: "plan again"}
	}
	return nil
}

// carryOut makes the changes of one wave: first those whose old and new can
// run side by side, all at once; then the others, one after the other.
func (r *rollout) carryOut(ctx context.Context, wave []*task) error {
	var beside, apart []*task
	for _, t := range wave {
		if t.StopFirst == "" {
			beside = append(beside, t)
		} else {
			apart = append(apart, t)
		}
	}
	if err := together(ctx, beside, r.bring); err != nil {
		return err
	}
	if err := r.lasting(ctx, beside); err != nil {
		return err
	}
	if err := together(ctx, beside, r.stopOld); err != nil {
		return err
	}
	for _, t := range apart {
		alone := []*task{t}
		if err := together(ctx, alone, r.stopOld, r.bring); err != nil {
			return err
		}
		if err := r.lasting(ctx, alone); err != nil {
			return err
		}
	}
	return nil
}

// together takes the tasks through the acts, all tasks at once. The first
// error ends the waiting of all.
func together(ctx context.Context, tasks []*task, acts ...func(context.Context, *task) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range tasks {
		g.Go(func() error {
			for _, act := range acts {
				if err := act(ctx, t); err != nil {
					return t.error(err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func (t *task) error(err error) error {
	return fmt.Errorf("%s %s on %s: %w", t.Action, t.Instance, t.Ship, err)
}

// bring has the declared container run and ready.
func (r *rollout) bring(ctx context.Context, t *task) error {
	if t.want == nil {
		return nil
	}
	started := time.Now()
	if t.current == nil || !t.current.running() {
		if err := r.start(ctx, t); err != nil {
			return err
		}
	}
	a := t.awaited()
	if t.Action != Keep {
		a.settle = r.fleet.settle(t.want.Checks)
	}
	if err := a.ready(ctx); err != nil {
		return err
	}
	t.ready = true
	r.say(t.Ship, t.Instance, "ready", time.Since(started))
	return nil
}

func (t *task) awaited() awaited {
	return awaited{ship: t.ship, id: t.id, checks: t.want.Checks, secrets: t.want.secrets}
}

// start creates the container if there is none, and starts it.
func (r *rollout) start(ctx context.Context, t *task) error {
	if t.current != nil && t.current.alive() { // restarting or paused
		if err := r.fleet.stop(ctx, *t.current); err != nil {
			return err
		}
	}
	err := r.fleet.act(ctx, 0, func(ctx context.Context) (err error) {
		t.begun = true
		if t.id == "" {
			t.id, err = t.ship.Create(ctx, r.plan.Scope, r.plan.Release, *t.want)
		}
		if err != nil {
			return err
		}
		return t.ship.Start(ctx, t.id)
	})
	if err == nil {
		r.say(t.Ship, t.Instance, "started", 0)
	}
	return err
}

// stopOld stops what the task replaces, and what holds its host ports. It all
// stays, to be started again if the deployment fails.
func (r *rollout) stopOld(ctx context.Context, t *task) error {
	for _, c := range slices.Concat(t.blocks, t.old) {
		if !c.alive() || !r.claim(c.ID) {
			continue
		}
		t.stopped = append(t.stopped, c)
		if err := r.fleet.stop(ctx, c); err != nil {
			return fmt.Errorf("stop %s: %w", c.Name, err)
		}
		r.say(c.Ship, c.Instance, fmt.Sprintf("%s stopped", c.Name), 0)
	}
	return nil
}

// claim gives the stopping of a container to the first task that wants it.
func (r *rollout) claim(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.off[id]
	r.off[id] = true
	return first
}

// clean removes what was replaced. The deployment is live: what cannot be
// removed now is so by the next one.
func (r *rollout) clean(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	_ = together(ctx, r.tasks, func(_ context.Context, t *task) error {
		for _, c := range t.old {
			if err := r.fleet.remove(ctx, c); err != nil {
				r.say(c.Ship, c.Instance, fmt.Sprintf("%s is left behind: %v", c.Name, err), 0)
			}
		}
		return nil
	})
}
