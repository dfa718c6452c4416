package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/deployer/trial"
	"batuta/internal/api"
	"batuta/internal/config"
	"batuta/internal/gitremote"
	"batuta/internal/registry"
	"batuta/internal/signing"
	"batuta/internal/store"
	"batuta/pipeline"
)

// server is the parts of a running server, wired.
type server struct {
	config   *config.Config
	log      *slog.Logger
	gate     *api.Gate
	robots   robots
	key      []byte       // that secrets are hashed with
	signing  *signing.Key // that releases are signed with
	store    *store.DB
	registry *registry.Registry // nil: somebody else's is used
	remote   *gitremote.Remote
	builder  pipeline.Builder
	ships    map[batuta.ShipName]*docker.Ship
	runners  map[batuta.ShipName]*trial.Runner // of tests
	fleet    *deployer.Fleet
	logs     *pipeline.FileLogs
	notifier *notifier
	pipeline *pipeline.Pipeline
	handler  http.Handler
	refusals refusals       // of deliveries
	denials  refusals       // of what people ask for
	stopping chan struct{}  // closed when the server begins to stop
	close    []func() error // in the order of opening
}

// parts is what a server is given beside its configuration; tests give others.
type parts struct {
	log    *slog.Logger
	binary string                              // Batuta's own static binary, for static images and probes
	wrap   func(pipeline.Store) pipeline.Store // nil: the store as it is
}

// newServer opens and wires the parts. If that does not work out, what was
// opened is closed again.
func newServer(ctx context.Context, c *config.Config, p parts) (*server, error) {
	s := &server{config: c, log: p.log, gate: api.NewGate(c.People), robots: newRobots(), ships: map[batuta.ShipName]*docker.Ship{}, runners: map[batuta.ShipName]*trial.Runner{}, stopping: make(chan struct{})}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	if err := isWhole(c.Data); err != nil {
		return nil, err
	}
	for _, open := range []func(context.Context, parts) error{
		s.openStore, s.openRegistry, s.openRemote, s.openBuilder, s.openShips, s.openPipeline, s.openHandler,
	} {
		if err := open(ctx, p); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Close closes the parts, the last opened first.
func (s *server) Close() error {
	var all []error
	for _, part := range slices.Backward(s.close) {
		all = append(all, part())
	}
	s.close = nil
	return errors.Join(all...)
}

func (s *server) dir(name string) string { return filepath.Join(s.config.Data, name) }

func (s *server) openStore(ctx context.Context, _ parts) (err error) {
	if s.store, err = store.Open(ctx, s.config.Data); err != nil {
		return err
	}
	s.close = append(s.close, s.store.Close)
	if s.key, err = serverKey(s.dir("key")); err != nil {
		return err
	}
	s.signing, err = signing.Open(s.dir(signingKey), func() (signing.Older, error) { return s.newestReleases(ctx) })
	return err
}

func (s *server) openRegistry(ctx context.Context, _ parts) (err error) {
	if s.config.Registry.Outside != nil {
		return nil
	}
	s.registry, err = registry.New(ctx, registry.Config{Dir: s.dir("registry"), Authorize: s.mayUseRegistry, Log: s.log})
	if err == nil {
		s.close = append(s.close, s.registry.Close)
	}
	return err
}

func (s *server) openRemote(ctx context.Context, _ parts) (err error) {
	s.remote, err = gitremote.New(ctx, gitremote.Config{
		Dir: s.dir("git"), Access: remoteAccess{s}, Inbox: remoteInbox{s.store, func() { s.pipeline.Wake() }}, RunURL: s.runURL, Log: s.log,
	})
	return err
}

func (s *server) openShips(_ context.Context, p parts) error {
	targets, addresses := map[batuta.ShipName]deployer.Ship{}, map[batuta.ShipName]string{}
	for name, ship := range s.config.Ships {
		d, err := docker.Dial(name, ship.Endpoint, docker.Options{
			Auth:    func(host string) (string, string, bool) { return s.login(host, s.robots.ship) },
			Runtime: runtimeImage{p.binary}, Reach: reachOf(ship),
		})
		if err != nil {
			return err
		}
		s.close = append(s.close, d.Close)
		s.ships[name], targets[name], addresses[name] = d, d, ship.Address
		s.runners[name] = trial.New(d, s.owner(), s.config.Test.AtOnce)
	}
	s.fleet = deployer.New(targets, deployer.Options{Addresses: addresses, Holder: "the server at " + s.config.URL})
	return nil
}

// reachOf is server.yml's word for how a ship is reached.
func reachOf(s config.Ship) deployer.Reach {
	var r deployer.Reach
	if t := s.TLS; t != nil {
		r.TLS = &deployer.TLS{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName, Insecure: t.Insecure}
	}
	if l := s.SSH; l != nil {
		r.SSH = &deployer.SSH{Host: l.Host, Port: l.Port, User: l.User, Key: l.Key, KnownHosts: l.KnownHosts}
	}
	return r
}

func (s *server) openPipeline(_ context.Context, p parts) (err error) {
	if s.logs, err = pipeline.NewFileLogs(s.dir("logs")); err != nil {
		return err
	}
	s.notifier = newNotifier(s.config)
	kept := pipeline.Store(s.store)
	if p.wrap != nil {
		kept = p.wrap(kept)
	}
	s.pipeline = pipeline.New(pipeline.Config{
		Apps: s.apps(), Store: kept, Source: s.fetcher(), Commits: s.fetcher(), Remote: s.fetcher(), Builder: s.builder, Pinner: pinner{s}, Signer: &signer{server: s}, Fleet: s.fleet,
		Tester: tester{s}, Artifacts: s.dir("artifacts"),
		Ships: s.harbour(), Notifier: s.notifier, Every: s.config.Reconcile.Every, BasesEvery: s.config.Bases.Every, KeepEvents: s.config.History.Events, KeepDeliveries: s.config.Keep.Deliveries, KeepLogs: s.config.Keep.Logs,
		Logs: s.logs, Log: s.log, Dir: s.dir("runs"), Key: s.key,
		AtOnce: s.config.Runs.AtOnce, Retries: s.config.Runs.Retries, Backoff: time.Second,
	})
	return nil
}

// headerTimeout and idleTimeout bound clients that dawdle; bodies take their
// time, as images and repositories are large.
const (
	maxHeader     = 64 << 10
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	closeTimeout  = 10 * time.Second
)

// Run serves until ctx ends: then new work waits, builds stop to be resumed by
// the next server, deployments in progress are finished, and Run returns.
func (s *server) Run(ctx context.Context, listener net.Listener) error {
	web := &http.Server{
		Handler: s.handler, MaxHeaderBytes: maxHeader, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	group, working := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	taken := make(chan struct{})
	group.Go(func() error {
		defer close(taken)
		s.takeIn(working)
		return nil
	})
	group.Go(func() error {
		defer s.closeWeb(ctx, web)
		select { // what is newest runs first, but no app waits for another's push
		case <-taken:
		case <-time.After(takeInTimeout):
		}
		s.pipeline.Work(working)
		return nil
	})
	group.Go(func() error { s.pipeline.Watch(working); return nil })
	group.Go(func() error { s.pipeline.Reconcile(working); return nil })
	group.Go(func() error { s.pipeline.Post(working); return nil })
	group.Go(func() error { s.tidyTests(working); return nil })
	group.Go(func() error { s.pipeline.Schedule(working); return nil })
	group.Go(func() error { s.pipeline.Forget(working); return nil })
	group.Go(func() error {
		<-working.Done()
		close(s.stopping)
		return nil
	})
	return group.Wait()
}

// closeWeb lets requests in flight end, and cuts those that do not.
func (s *server) closeWeb(ctx context.Context, web *http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := web.Shutdown(ctx); err != nil {
		_ = web.Close()
	}
}

// takeInTimeout is how long work waits for what was pushed before: a push that
// goes on may take any time.
const takeInTimeout = 5 * time.Second

// takeIn takes in what was pushed to the embedded remote just before an
// earlier server was killed.
func (s *server) takeIn(ctx context.Context) {
	var all sync.WaitGroup
	for name, app := range s.config.Apps {
		if app.Repository != "" {
			continue
		}
		all.Go(func() {
			if err := s.remote.Reconcile(ctx, name); err != nil && ctx.Err() == nil {
				s.log.Error("take in what was pushed before", "app", name, "err", err)
			}
		})
	}
	all.Wait()
}

// keyBytes is the length of the server's key.
const keyBytes = 32

// serverKey reads the server's key, or makes one.
func serverKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		key = make([]byte, keyBytes)
		_, _ = rand.Read(key) // never fails
		return key, keepKey(path, key)
	case err != nil:
		return nil, fmt.Errorf("read the server's key: %w", err)
	case len(key) != keyBytes:
		return nil, &batuta.Error{
			Kind: batuta.Invalid, Message: fmt.Sprintf("the server's key %s has %d bytes, not %d", path, len(key), keyBytes),
			Hint: "bring it back from a backup; without it every container that has a secret is replaced at its next deployment",
		}
	}
	return key, nil
}

// keepKey writes the key so that a crash leaves it whole or not at all.
func keepKey(path string, key []byte) error {
	part, err := os.OpenFile(path+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep the server's key: %w", err)
	}
	_, err = part.Write(key)
	if err = errors.Join(err, part.Sync(), part.Close()); err != nil {
		return fmt.Errorf("keep the server's key: %w", err)
	}
	return os.Rename(part.Name(), path)
}
