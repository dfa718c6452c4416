package docker

import (
	"context"
	"errors"
	"time"

	"batuta"
	"batuta/deployer"
)

func (s *Ship) Prune(ctx context.Context, repositories []string, keep []batuta.Image) ([]string, error) {
	return nil, errors.ErrUnsupported
}

func (s *Ship) Kill(ctx context.Context, id string) error { return errors.ErrUnsupported }

func (s *Ship) Lock(ctx context.Context, scope deployer.Scope, holder string, ttl time.Duration) (string, error) {
	return "", errors.ErrUnsupported
}

func (s *Ship) Unlock(ctx context.Context, scope deployer.Scope, holder string) error {
	return errors.ErrUnsupported
}
