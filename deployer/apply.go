package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"batuta"
)

// ErrSuspended, as the cause of a cancelled context, makes Apply stop where it
// is and undo nothing: the same specification, planned and applied again, ends
// in the same state. For a caller that cannot wait until Apply has ended.
var ErrSuspended = errors.New("suspended, to be resumed")

// Outcome is how a deployment ended.
type Outcome struct {
	Status batuta.DeploymentStatus
	Undone error    // why not everything that ran before could be put back; nil if it could
	Failed []string // the instances that failed and were tolerated, with why; sorted
	Left   []string // what a deployment that failed and was not undone has left, in the plan's order
}

// Apply follows the plan and nothing else. It holds the environment's lease on
// every ship that it changes, and on some that all plans of the environment
// share. Everything that can be checked is checked, and
// every image is on its ship, before anything is touched. Then, wave by wave
// and batch by batch, what is new starts and must become ready before what is
// old stops, and must stay so for as long as its service's policy says. If
// anything fails, or ctx ends, all is put back as it was, unless the policy
// tolerates it or leaves it to a person.
//
// The outcome tells what became of the environment: the error why it is not
// Live (Conflict: the plan no longer fits what runs, or somebody else deploys;
// Unavailable: a ship or a registry does not answer; Unhealthy: what was
// started does not work). Log, which may be nil, is called for each event,
// never at the same time.
func (f *Fleet) Apply(ctx context.Context, plan Plan, log func(Event)) (Outcome, error) {
	r := newRollout(f, plan, log)
	if err := r.applicable(ctx); err != nil {
		return r.refused(ctx), err
	}
	ctx, release, err := r.hold(ctx)
	if err != nil {
		return r.refused(ctx), err
	}
	defer release()
	if err := r.preflight(ctx); err != nil {
		return r.refused(ctx), err
	}
	if err := r.carryAllOut(ctx); err != nil {
		outcome, err := r.undo(ctx, err)
		r.forgetHooks(ctx, outcome.Status)
		return outcome, err
	}
	r.clean(ctx)
	r.forgetHooks(ctx, batuta.Live) // last: what was left of the old would have them run again
	return Outcome{Status: batuta.Live, Failed: r.tolerated()}, nil
}

// carryAllOut does what the plan says, up to the point from which there is no
// way back.
func (r *rollout) carryAllOut(ctx context.Context) error {
	for _, first := range []func(context.Context) error{r.pull, r.begin, r.promise, r.sweep} {
		if err := first(ctx); err != nil {
			return err
		}
	}
	for _, wave := range r.waves() {
		if err := r.carryOut(ctx, wave); err != nil {
			return err
		}
	}
	if err := r.after(ctx); err != nil {
		return err
	}
	if err := r.watchAll(ctx); err != nil {
		return err
	}
	for _, g := range r.begun {
		if err := g.someLeft(); err != nil {
			return err
		}
	}
	return r.end(ctx)
}

// rollout is one plan being applied.
type rollout struct {
	fleet *Fleet
	plan  Plan
	tasks []*task           // of the plan's changes, in their order
	lost  chan struct{}     // closed when somebody else has the lease; nil without one
	seats []batuta.ShipName // that have the lease whatever is changed, and the note of it
	noted bool              // they have the note
	owed  []owed            // hooks, whose containers are there

	mu    sync.Mutex // guards what follows
	log   func(Event)
	off   map[string]*stopping         // containers that were stopped, by id
	begun []*group                     // those that were entered, in their order
	done  map[batuta.InstanceName]bool // hooks
	stand []Container                  // of hooks that are done, until the deployment has ended
}

// task is one change being made.
type task struct {
	Change
	ship        Ship
	begun       bool        // a container may be there that was not there before
	id          string      // the container as declared, once it is known
	ready       bool        // it was ready
	unfit       bool        // the container itself is why it failed
	canary      bool        // others wait to see how it does
	stopped     []Container // what was stopped for it
	interrupted bool        // an earlier deployment began it, and came to no end
	out         error       // why it failed and was put back; the deployment goes on without it
}

func newRollout(f *Fleet, plan Plan, log func(Event)) *rollout {
	r := &rollout{fleet: f, plan: plan, log: log, off: map[string]*stopping{}, done: map[batuta.InstanceName]bool{}}
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

// tolerated are the instances that failed.
func (r *rollout) tolerated() []string {
	var out []string
	for _, t := range r.tasks {
		if t.out != nil {
			out = append(out, t.error(t.out).Error())
		}
	}
	slices.Sort(out)
	return out
}

// failure is what failed of a service.
type failure struct {
	service batuta.ServiceName
	act     string // replace web-1 on node1
	err     error
}

func (f *failure) Error() string { return f.act + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func (t *task) error(err error) error {
	return &failure{t.Service, fmt.Sprintf("%s %s on %s", t.Action, t.Instance, t.Ship), err}
}
