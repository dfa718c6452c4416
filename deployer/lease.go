package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"batuta"
)

// errLost is the cause of the end of a deployment whose lease somebody else
// took.
var errLost = errors.New("the lease is lost")

// seats is on how many ships every plan of an environment takes its lease.
const seats = 3

// seats are the ships on which the plan takes the lease whatever it changes:
// the first, by name, of all that answered when it was made. Two plans of one
// environment meet on one of them, even if they saw up to two ships otherwise.
func (f *Fleet) seats(p Plan) []batuta.ShipName {
	names := slices.Sorted(maps.Keys(f.answered(p)))
	return names[:min(len(names), seats)]
}

// hold takes the environment's lease on its seats and on every ship that the
// plan changes. The context that it gives ends when the lease is lost; release
// lets go of it. A plan with nothing to do needs none.
func (r *rollout) hold(ctx context.Context) (_ context.Context, release func(), _ error) {
	if r.plan.idle() {
		return ctx, func() {}, nil
	}
	r.seats = r.fleet.seats(r.plan)
	l := newLease(r.fleet, r.plan.Scope, r.fleet.holder(r.plan.By), r.plan.touched(), r.seats)
	l.waits = func(why error) { r.tell(Event{Text: "waiting until its lease ends: " + why.Error()}) }
	r.lost = l.lost
	return l.hold(ctx)
}

// hold takes the lease and keeps it. The context that it gives ends when the
// lease is lost; release lets go of it.
//
// The first ship is asked before the others: of two who want the same, one is
// told no before it holds any.
func (l *lease) hold(ctx context.Context) (_ context.Context, release func(), _ error) {
	if err := l.fleet.enter(l.scope, l.holder); err != nil {
		return ctx, nil, err
	}
	if err := l.outwait(ctx); err != nil {
		l.letGo(ctx)
		return ctx, nil, err
	}
	held, end := context.WithCancelCause(ctx)
	renewing, enough := context.WithCancel(context.WithoutCancel(ctx))
	var renewer sync.WaitGroup
	renewer.Go(func() { l.keep(renewing, end) })
	return held, func() {
		enough()
		renewer.Wait()
		end(nil)
		if errors.Is(context.Cause(ctx), ErrSuspended) { // it is resumed by the same holder
			l.fleet.leave(l.scope)
			return
		}
		l.letGo(ctx)
	}, nil
}

// leaseLook is how often a lease is looked at that is about to end.
const leaseLook = time.Second

// outwait takes the lease. If another deployment of the same holder has it, it
// was cut short, for one holder does not change an environment twice at once:
// then outwait waits until that lease ends.
func (l *lease) outwait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*l.fleet.options.Lease)
	defer cancel()
	for told := false; ; told = true {
		err := l.take(ctx)
		if _, ours := errors.AsType[heldByOurs](err); !ours {
			return err
		}
		if !told {
			l.waits(err)
		}
		if pause(ctx, leaseLook) != nil {
			return err
		}
	}
}

// touched are the ships on which the plan changes anything, sorted: a hook that
// seems interrupted may be running, for somebody who has the lease.
func (p Plan) touched() []batuta.ShipName {
	out := p.shipsOf(func(c Change) bool { return c.Action != Keep })
	for _, c := range p.interrupted {
		out = append(out, c.Ship)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// holder is who changes an environment, and with what.
func (f *Fleet) holder(by string) string {
	if by == "" {
		return f.options.Holder
	}
	return f.options.Holder + " " + by
}

// enter and leave keep one fleet from changing one environment twice at once:
// to the ships, both have the same holder.
func (f *Fleet) enter(s Scope, holder string) error {
	f.applying.Lock()
	defer f.applying.Unlock()
	if by, taken := f.holders[s]; taken {
		return heldBy(s, by)
	}
	if f.holders == nil {
		f.holders = map[Scope]string{}
	}
	f.holders[s] = holder
	return nil
}

func (f *Fleet) leave(s Scope) {
	f.applying.Lock()
	defer f.applying.Unlock()
	delete(f.holders, s)
}

func heldBy(s Scope, by string) error {
	return &batuta.Error{
		Kind: batuta.Conflict, Message: fmt.Sprintf("%s is being changed by %s", s.Environment, by),
		Hint: "nothing was touched; try again when that has ended. A lease whose holder is gone ends by itself",
	}
}

// heldByOurs is that another deployment of the same holder has the lease.
type heldByOurs struct{ error }

func (h heldByOurs) Unwrap() error { return h.error }

// lease is the right to change an environment, on each of some ships.
type lease struct {
	fleet  *Fleet
	scope  Scope
	holder string
	ships  []batuta.ShipName // the seats, and then the others
	seats  int
	needed map[batuta.ShipName]bool // ships that are changed
	lost   chan struct{}            // closed when it is
	waits  func(why error)          // told once that it is waited for
}

// newLease is the lease on the ships that are changed and on the seats.
func newLease(f *Fleet, s Scope, holder string, changed, seats []batuta.ShipName) *lease {
	l := &lease{fleet: f, scope: s, holder: holder, ships: slices.Clone(seats), seats: len(seats), needed: map[batuta.ShipName]bool{}, lost: make(chan struct{}), waits: func(error) {}}
	for _, name := range changed {
		l.needed[name] = true
		if !slices.Contains(seats, name) {
			l.ships = append(l.ships, name)
		}
	}
	return l
}

// take takes or renews the lease on all ships.
func (l *lease) take(ctx context.Context) error {
	if len(l.ships) == 0 {
		return nil
	}
	errs := make([]error, len(l.ships))
	if errs[0] = l.on(ctx, l.ships[0]); errors.Is(errs[0], batuta.Conflict) {
		return errs[0]
	}
	var all sync.WaitGroup
	for n, name := range l.ships[1:] {
		all.Go(func() { errs[n+1] = l.on(ctx, name) })
	}
	all.Wait()
	return l.enough(errs)
}

// enough is why the lease is not had, given why it is not on each ship: another
// has it, or it is not on a ship that is changed, or not on half of the seats.
// One bad ship that is only a seat keeps nobody from deploying to the others.
func (l *lease) enough(errs []error) error {
	var serious, spared []error
	for n, err := range errs {
		switch {
		case err == nil:
		case l.needed[l.ships[n]] || errors.Is(err, batuta.Conflict):
			serious = append(serious, err)
		default:
			spared = append(spared, err)
		}
	}
	if 2*len(spared) > l.seats {
		serious = append(serious, spared...)
	}
	return errors.Join(serious...)
}

// on takes or renews the lease on one ship. One that knows no leases is no
// error.
func (l *lease) on(ctx context.Context, name batuta.ShipName) error {
	by, err := ask(ctx, l.fleet, name, l.fleet.options.Ask, func(ctx context.Context, s Ship) (string, error) {
		return s.Lock(ctx, l.scope, l.holder, l.fleet.options.Lease)
	})
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	case err != nil:
		return cmp.Or(ended(ctx), unavailable(name, err))
	case by == "" || by == l.holder:
		return nil
	case strings.HasPrefix(by, l.fleet.options.Holder+" "):
		return heldByOurs{heldBy(l.scope, by)}
	}
	return heldBy(l.scope, by)
}

// keep renews the lease until ctx ends or somebody else has it. A ship that
// does not answer gives it to nobody else either.
func (l *lease) keep(ctx context.Context, end context.CancelCauseFunc) {
	for pause(ctx, l.fleet.options.Lease/3) == nil {
		if err := l.take(ctx); errors.Is(err, batuta.Conflict) {
			close(l.lost)
			end(fmt.Errorf("%w: %w", errLost, err))
			return
		}
	}
}

// letGo gives the lease back, as far as the ships answer; on the others it
// ends by itself.
func (l *lease) letGo(ctx context.Context) {
	defer l.fleet.leave(l.scope)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.fleet.options.Ask)
	defer cancel()
	var all sync.WaitGroup
	for _, name := range slices.Clone(l.ships) {
		all.Go(func() { _ = l.fleet.ships[name].Unlock(ctx, l.scope, l.holder) })
	}
	all.Wait()
}
