package main

import (
	"cmp"
	"context"
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

// The demo's cast: the example application of examples/static, on one ship.
const (
	demoApp  = batuta.AppName("hello")
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
	url    string
	token  string
	asks   *client.Client
	server *server
	log    *os.File
	stop   context.CancelFunc
	ended  chan struct{} // closed when the server has stopped, of itself or not
	err    error         // why it stopped; read it after ended
}

// setStage starts a server in a fresh directory on a free port.
func (p *program) setStage(ctx context.Context, engine string) (s *stage, err error) {
	binary, err := staticSelf()
	if err != nil {
		return nil, err
	}
	s = &stage{token: newRobots().builder, ended: make(chan struct{})}
	if s.dir, err = os.MkdirTemp("", "batuta-demo-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(s.dir)
		}
	}()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	cfg, err := s.configure(listener.Addr().String(), engine)
	if err == nil {
		s.asks, err = client.New(cfg.URL, s.token)
	}
	if err == nil {
		s.log, err = os.Create(filepath.Join(s.dir, "server.log"))
	}
	if err == nil {
		s.server, err = newServer(ctx, cfg, parts{log: slog.New(slog.NewTextHandler(s.log, nil)), binary: binary})
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go func() {
		defer close(s.ended)
		s.err = s.server.Run(running, listener)
	}()
	return s, nil
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
`, address, filepath.Join(s.dir, "data"), builder, demoShip, engine, demoApp, demoUser, s.token)
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
		scope := deployer.Scope{App: demoApp, Environment: env}
		all = append(all, s.server.fleet.Down(ctx, scope), s.server.ships[demoShip].RemoveNetwork(ctx, scope))
	}
	all = append(all, s.server.ships[demoShip].RemoveImages(ctx, s.server.images(demoApp)+"/"), s.server.Close(), s.log.Close())
	if err := errors.Join(all...); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return os.RemoveAll(s.dir)
}
