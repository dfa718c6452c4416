package shiptest

import (
	"context"
	"errors"
	"time"

	"batuta"
	"batuta/deployer"
)

func (f *Fake) Prune(ctx context.Context, repositories []string, keep []batuta.Image) ([]string, error) {
	return nil, errors.ErrUnsupported
}

func (f *Fake) Kill(ctx context.Context, id string) error { return errors.ErrUnsupported }

func (f *Fake) Lock(ctx context.Context, scope deployer.Scope, holder string, ttl time.Duration) (string, error) {
	return "", errors.ErrUnsupported
}

func (f *Fake) Unlock(ctx context.Context, scope deployer.Scope, holder string) error {
	return errors.ErrUnsupported
}
