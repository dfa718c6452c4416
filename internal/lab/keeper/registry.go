package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the only storage it uses

	"batuta/internal/lab"
)

// registry serves the base images, which it keeps in the cache directory of
// root from one lab to the next.
type registry struct {
	address lab.Registry
	dir     string
	app     *handlers.App
	server  *http.Server
	serving sync.WaitGroup

	made map[lab.Base]*part[struct{}]
}

// openRegistry serves on a port that is free on both of its addresses.
func openRegistry(ctx context.Context) (*registry, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	local, bridge, err := listenTwice(ctx, "127.0.0.1", lab.Machine)
	if err != nil {
		return nil, err
	}
	r := &registry{
		address: lab.Registry{Loopback: local.Addr().String(), Bridge: bridge.Addr().String()},
		dir:     filepath.Join(cache, "batuta", "bases"),
		made:    map[lab.Base]*part[struct{}]{},
	}
	for base := range recipes {
		r.made[base] = new(part[struct{}])
	}
	config := &configuration.Configuration{Storage: configuration.Storage{
		"filesystem": {"rootdirectory": filepath.Join(r.dir, "registry")},
	}}
	config.HTTP.Secret = "of no use to anyone" // it signs the state of uploads; without one there is a warning
	config.Log.AccessLog.Disabled = true
	config.Log.Level = "warn"
	r.app = handlers.NewApp(ctx, config)
	r.server = &http.Server{Handler: r.app, ReadHeaderTimeout: time.Minute}
	for _, listener := range []net.Listener{local, bridge} {
		r.serving.Go(func() { _ = r.server.Serve(listener) }) // until close
	}
	return r, nil
}

// listenTwice listens on the same port of two hosts.
func listenTwice(ctx context.Context, first, second string) (one, other net.Listener, err error) {
	const tries = 10 // a port that is free on the first host may be taken on the second
	for range tries {
		one, err = new(net.ListenConfig).Listen(ctx, "tcp", first+":0")
		if err != nil {
			return nil, nil, err
		}
		_, port, _ := net.SplitHostPort(one.Addr().String()) // a listener's address has a port
		other, err = new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(second, port))
		if err == nil {
			return one, other, nil
		}
		err = errors.Join(err, one.Close())
	}
	return nil, nil, fmt.Errorf("serve the base images: %w", err)
}

// ensure makes the base images that have not been made yet.
func (r *registry) ensure(ctx context.Context, bases ...lab.Base) error {
	for _, base := range bases {
		recipe, ok := recipes[base]
		if !ok {
			return fmt.Errorf("there is no base image %q", base)
		}
		_, err := r.made[base].get(func() (struct{}, func() error, error) {
			return struct{}{}, func() error { return nil }, recipe.make(ctx, r.address.Loopback)
		})
		if err != nil {
			return fmt.Errorf("make the base image %s: %w", base, err)
		}
	}
	return nil
}

func (r *registry) close() error {
	defer r.serving.Wait()
	return errors.Join(r.server.Close(), r.app.Shutdown())
}
