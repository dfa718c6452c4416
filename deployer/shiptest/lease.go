package shiptest

import (
	"context"
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
