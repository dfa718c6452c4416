package docker

import (
	"context"
	"errors"
	"io"
	"time"

	"batuta"
	"batuta/deployer"
)

func (s *Ship) Find(ctx context.Context, reference string) (string, error) {
	return "", errors.ErrUnsupported
}

func (s *Ship) Fetch(ctx context.Context, reference string, login *deployer.Login, progress func(int)) error {
	return errors.ErrUnsupported
}

func (s *Ship) Prune(ctx context.Context, repositories []string, keep []batuta.Image) ([]string, error) {
	return nil, errors.ErrUnsupported
}

func (s *Ship) Kill(ctx context.Context, id string) error { return errors.ErrUnsupported }

func (s *Ship) Logs(ctx context.Context, id string, lines int, follow bool, to io.Writer) error {
	return errors.ErrUnsupported
}

func (s *Ship) Facts(ctx context.Context) (deployer.Facts, error) {
	return deployer.Facts{}, errors.ErrUnsupported
}

func (s *Ship) Watch(ctx context.Context, since time.Time, each func(deployer.Occurrence)) error {
	return errors.ErrUnsupported
}

func (s *Ship) Lock(ctx context.Context, scope deployer.Scope, holder string, ttl time.Duration) (string, error) {
	return "", errors.ErrUnsupported
}

func (s *Ship) Unlock(ctx context.Context, scope deployer.Scope, holder string) error {
	return errors.ErrUnsupported
}
