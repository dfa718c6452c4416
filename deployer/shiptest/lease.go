package shiptest

import (
	"context"
	"slices"
	"time"

	"batuta/deployer"
)

// lease is who holds a scope, and until when.
type lease struct {
	holder  string
	expires time.Time
}

// Lock takes or renews the scope's lease, or says who holds it.
func (f *Fake) Lock(ctx context.Context, s deployer.Scope, holder string, ttl time.Duration) (by string, err error) {
	err = f.call(ctx, Call{Method: "Lock"}, func() error {
		now := time.Now()
		if held := f.leases[s]; held.holder != holder && now.Before(held.expires) {
			by = held.holder
			return nil
		}
		f.leases[s] = lease{holder, now.Add(ttl)}
		return nil
	})
	return by, err
}

// Unlock lets go of the scope's lease, if the holder has it.
func (f *Fake) Unlock(ctx context.Context, s deployer.Scope, holder string) error {
	return f.call(ctx, Call{Method: "Unlock"}, func() error {
		if f.leases[s].holder == holder {
			delete(f.leases, s)
		}
		return nil
	})
}

// Begin notes that the scope is being changed, or gives the note that stands.
func (f *Fake) Begin(ctx context.Context, s deployer.Scope, n deployer.Note) (stands deployer.Note, err error) {
	err = f.call(ctx, Call{Method: "Begin"}, func() error {
		if f.notes[s].Change == "" {
			f.notes[s] = deployer.Note{Change: n.Change, Left: slices.Clone(n.Left), Seats: slices.Clone(n.Seats)}
		}
		stands = f.notes[s]
		return nil
	})
	if err != nil {
		return deployer.Note{}, err
	}
	return stands, nil
}

// End takes the note away.
func (f *Fake) End(ctx context.Context, s deployer.Scope) error {
	return f.call(ctx, Call{Method: "End"}, func() error {
		delete(f.notes, s)
		return nil
	})
}
