package deployer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"

	"batuta"
)

// begin notes on the seats that a deployment is under way, before it changes
// anything. If each that was to have it has the note of an earlier one, that one
// was interrupted, and what it had stopped is what ran before; what it left
// standing still at its own begin is not.
func (r *rollout) begin(ctx context.Context) error {
	if r.plan.idle() {
		return nil
	}
	mine := Note{Change: r.fleet.holder(r.plan.By) + " " + rand.Text(), Left: r.leftBehind(), Seats: r.seats}
	earlier, fresh, err := r.note(ctx, mine)
	if err == nil && len(earlier) == 0 && len(fresh) < len(mine.Seats) { // it says so, before anything changes
		if _, err = r.onSeats(ctx, fresh, func(ctx context.Context, _ int, s Ship) error { return s.End(ctx, r.plan.Scope) }); err == nil {
			mine.Seats = fresh
			earlier, fresh, err = r.note(ctx, mine)
		}
	}
	if err != nil {
		return fmt.Errorf("note that the environment is being changed: %w", err)
	}
	r.noted = true
	if len(earlier) > 0 && !slices.ContainsFunc(earlier, func(n Note) bool { return n.ended(fresh) }) {
		r.resume(earlier)
	}
	return nil
}

// note leaves the note on its seats. It gives the notes of others that stand
// there, and the seats that had none. There is no error if one seat has it.
func (r *rollout) note(ctx context.Context, mine Note) (earlier []Note, fresh []batuta.ShipName, _ error) {
	notes := make([]Note, len(mine.Seats))
	had, err := r.onSeats(ctx, mine.Seats, func(ctx context.Context, n int, s Ship) (err error) {
		notes[n], err = s.Begin(ctx, r.plan.Scope, mine)
		return err
	})
	if !had {
		return nil, nil, err
	}
	for at, n := range notes {
		switch n.Change {
		case mine.Change:
			fresh = append(fresh, mine.Seats[at])
		case "": // this seat cannot say
		default:
			earlier = append(earlier, n)
		}
	}
	return earlier, fresh, nil
}

// ended tells whether a seat that was to have the note has it no more. Which
// were to, an old note may not say.
func (n Note) ended(fresh []batuta.ShipName) bool {
	return slices.ContainsFunc(fresh, func(s batuta.ShipName) bool { return len(n.Seats) == 0 || slices.Contains(n.Seats, s) })
}

// resume finds the tasks that an earlier deployment was interrupted at.
func (r *rollout) resume(earlier []Note) {
	for _, t := range r.tasks {
		before := t.before()
		begun := t.replaces() || (t.Action == Replace || t.Action == Stop) && before != nil && !before.alive()
		t.interrupted = begun && before.ran() && !slices.ContainsFunc(earlier, func(n Note) bool { return slices.Contains(n.Left, before.ID) })
	}
}

// leftBehind are the containers that stand still beside those that replaced
// them, or of what is no longer declared: nobody could remove them when that
// deployment was live. What an instance's work was done by last is not among
// them while nothing has replaced it.
func (r *rollout) leftBehind() []string {
	var out []string
	for _, t := range r.tasks {
		last := t.before()
		for _, c := range t.old {
			if !c.alive() && (t.Action == Stop || t.replaces() || c.ID != last.ID) {
				out = append(out, c.ID)
			}
		}
	}
	return out
}

// replaces tells whether the declared container was found beside others that
// it replaces.
func (t *task) replaces() bool { return t.Action == Replace && t.current != nil && len(t.old) > 0 }

// end takes the notes away: what runs is whole, and there is no way back. It is
// so if one seat at least knows it.
func (r *rollout) end(ctx context.Context) error {
	if !r.noted {
		return nil
	}
	had, err := r.onSeats(ctx, r.seats, func(ctx context.Context, _ int, s Ship) error { return s.End(ctx, r.plan.Scope) })
	if !had {
		return fmt.Errorf("note that the environment is changed: %w", err)
	}
	return nil
}

// onSeats does something on some seats at once, and again where one does not
// answer. It is had if one of them did it, or none can.
func (r *rollout) onSeats(ctx context.Context, seats []batuta.ShipName, do func(ctx context.Context, n int, s Ship) error) (had bool, _ error) {
	errs := make([]error, len(seats))
	var all sync.WaitGroup
	for n, name := range seats {
		all.Go(func() {
			errs[n] = retry(ctx, func() error {
				return r.fleet.act(ctx, 0, func(ctx context.Context) error { return do(ctx, n, r.fleet.ships[name]) })
			})
		})
	}
	all.Wait()
	return len(errs) == 0 || slices.ContainsFunc(errs, func(err error) bool { return supported(err) == nil }), errors.Join(errs...)
}

// supported is the error, unless it says that the ship cannot do such a thing
// at all.
func supported(err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// endOn takes the note away from one ship, where nothing runs any more.
func (f *Fleet) endOn(ctx context.Context, name batuta.ShipName, s Scope) error {
	return supported(f.act(ctx, 0, func(ctx context.Context) error { return f.ships[name].End(ctx, s) }))
}
