package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/deployer"
	"batuta/internal/api/client"
	"batuta/internal/config"
)

// The demo's cast: the example application of examples/static, on one ship. It
// gets a name of its own each time, so that no demo touches what another, or a
// real server, runs on the same Engine.
const (
	demoShip = batuta.ShipName("here")
	demoUser = "demo"
	demoQA   = batuta.EnvironmentName("qa")
	demoProd = batuta.EnvironmentName("production")
)

// demoCleanup bounds how long the demo takes to remove what it started.
const demoCleanup = time.Minute

// demoCommand shows the whole chain on this machine.
func (p *program) demoCommand() *cobra.Command {
	var once bool
	var engine string
	c := &cobra.Command{
		Use:   "demo",
		Short: "See a push become QA and production, on this machine",
		Long: `Start a server on 127.0.0.1 with its data in a fresh directory, push an example
application into it with git, and tell what happens. It stays up until Ctrl-C,
and then removes everything it started.

With --once it goes on to promote, to push again, and to roll back, checks every
answer over HTTP, and ends.`,
		Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return p.demo(c.Context(), engine, once)
		},
	}
	c.Flags().BoolVar(&once, "once", false, "go through the whole story, check it, clean up and exit")
	c.Flags().StringVar(&engine, "docker", cmp.Or(p.getenv("DOCKER_HOST"), "unix:///var/run/docker.sock"), "the Docker Engine to build with and deploy to")
	return c
}

// demo sets the stage, plays, and clears the stage whatever happened.
func (p *program) demo(ctx context.Context, engine string, once bool) (err error) {
	stage, err := p.setStage(ctx, engine)
	if err != nil {
		return err
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoCleanup)
		defer cancel()
		err = errors.Join(err, stage.clear(clean))
	}()
	play := p.newStory(stage)
	if err := play.firstPush(ctx); err != nil {
		return err
	}
	if once {
		return play.theRest(ctx)
	}
	play.invite()
	select {
	case <-ctx.Done():
		p.say("\nCleaning up …")
		return nil
	case <-stage.ended:
		return stage.err
	}
}

// stage is a running server and what is needed to talk to it.
type stage struct {
	dir    string // everything the demo writes
	app    batuta.AppName
	url    string
	token  string
	asks   *client.Client
	server *server
	log    *os.File
	stop   context.CancelFunc
	ended  chan struct{} // closed when the server has stopped, of itself or not
	err    error         // why it stopped; read it after ended
}

// setStage starts a server in a fresh directory on a free port. If that does
// not work out, nothing is left of it.
func (p *program) setStage(ctx context.Context, engine string) (*stage, error) {
	binary, err := staticSelf()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "batuta-demo-")
	if err != nil {
		return nil, err
	}
	s := &stage{dir: dir, app: batuta.AppName("hello-" + strings.ToLower(rand.Text()[:6])), token: rand.Text(), ended: make(chan struct{})}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), os.RemoveAll(dir))
	}
	if err := s.open(ctx, listener.Addr().String(), engine, binary); err != nil {
		return nil, errors.Join(err, listener.Close(), os.RemoveAll(dir))
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go func() {
		defer close(s.ended)
		s.err = s.server.Run(running, listener)
	}()
	return s, nil
}

// open makes the server of the stage, and its client.
func (s *stage) open(ctx context.Context, address, engine, binary string) error {
	cfg, err := s.configure(address, engine)
	if err != nil {
		return err
	}
	if s.asks, err = client.New(cfg.URL, s.token); err != nil {
		return err
	}
	if s.log, err = os.Create(filepath.Join(s.dir, "server.log")); err != nil {
		return err
	}
	s.server, err = newServer(ctx, cfg, parts{log: slog.New(slog.NewTextHandler(s.log, nil)), binary: binary})
	if err != nil {
		return errors.Join(err, s.log.Close())
	}
	return nil
}

// configure writes the demo's server.yml and reads it, as serve would.
func (s *stage) configure(address, engine string) (*config.Config, error) {
	s.url = "http://" + address
	builder := "docker+" + engine
	if !strings.Contains(engine, "://") {
		return nil, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not the address of a Docker Engine", engine), Hint: "write unix:///var/run/docker.sock or tcp://host:2375"}
	}
	text := fmt.Sprintf(`listen: %s
data: %s
builder: %q
ships:
  %s: {endpoint: %q}
apps:
  %s: {}
people:
  %s: {token: %s, may: admin}
dashboard: {anonymous: true}
`, address, filepath.Join(s.dir, "data"), builder, demoShip, engine, s.app, demoUser, s.token)
	file := filepath.Join(s.dir, "server.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return config.Load(file)
}

// clear stops the server and removes everything that the demo started.
func (s *stage) clear(ctx context.Context) error {
	s.stop()
	select {
	case <-s.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	var all []error
	for _, env := range []batuta.EnvironmentName{demoQA, demoProd} {
		scope := deployer.Scope{App: s.app, Environment: env}
		all = append(all, s.server.fleet.Down(ctx, scope), s.server.ships[demoShip].RemoveNetwork(ctx, scope))
	}
	all = append(all, s.server.ships[demoShip].RemoveImages(ctx, s.server.images(s.app)+"/"), s.server.Close(), s.log.Close())
	all = append(all, os.RemoveAll(s.dir))
	if err := errors.Join(all...); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}
