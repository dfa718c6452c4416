package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"batuta/internal/lab"
	"batuta/internal/lab/host"
)

// service is one of the two programs, running and answering.
type service struct {
	address string // host:port
	process *host.Process
}

func (s *service) url() string { return "http://" + s.address }

// startTime and stopTime bound what a program may take to answer and to end.
const (
	startTime = 30 * time.Second
	stopTime  = 30 * time.Second
)

// start runs a program with its own directory, and waits until its page
// answers with 200.
func (b *bench) start(ctx context.Context, dir, address, page, program string, args ...string) (*service, error) {
	p, err := host.Start(filepath.Join(dir, "log"), program, args...)
	if err != nil {
		return nil, err
	}
	s := &service{address, p}
	b.later(s.stop)
	var failed error
	late := lab.Eventually(ctx, startTime, func() error {
		if failed = p.Err(); failed != nil {
			return nil
		}
		_, err := get(ctx, s.url()+page)
		return err
	})
	return s, errors.Join(failed, late)
}

// stop ends the program as a service manager would; one that has ended, or is
// not wont to, is killed.
func (s *service) stop(ctx context.Context) error {
	if s.process.Err() != nil {
		return nil
	}
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	late := lab.Eventually(ctx, stopTime, func() error {
		if s.process.Err() == nil {
			return errors.New("it still runs")
		}
		return nil
	})
	return errors.Join(late, s.process.Kill())
}

// serve starts a Batuta with a server.yml that has the given text beside what
// every server needs.
func (b *bench) serve(ctx context.Context, settings string) (*service, error) {
	dir, err := os.MkdirTemp(b.dir, "server-")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "server.yml")
	text := fmt.Sprintf("listen: %s\ndata: %s\npeople:\n  bench: {token: %s, may: admin}\nwebhooks: {rate: 0}\n%s", address, filepath.Join(dir, "data"), b.token, settings)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return b.start(ctx, dir, address, "/healthz", b.batuta, "serve", "--config", file)
}

// serveBare starts the program of testdata/bare.
func (b *bench) serveBare(ctx context.Context) (*service, error) {
	dir, err := os.MkdirTemp(b.dir, "bare-")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	return b.start(ctx, dir, address, "/healthz", b.bare, "-listen", address, "-database", filepath.Join(dir, "database"), "-secret", b.token)
}

// apps is as many apps for a server.yml as the team that Batuta is for has, on
// a ship that nothing is deployed to.
func (b *bench) apps(repository string) string {
	var text strings.Builder
	text.WriteString("ships:\n  unused: {endpoint: \"unix:///nowhere\"}\napps:\n")
	for i := range teamApps {
		fmt.Fprintf(&text, "  %s: {repository: %q, webhook_secrets: [%s]}\n", appName(i), repository, b.token)
	}
	return text.String()
}

const teamApps = 25

func appName(i int) string { return fmt.Sprintf("app-%d", i%teamApps) }

// freeAddress is a loopback address that nobody listens on now.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// get gives the body of a page that is answered with 200. The connection ends
// with it, so that it keeps no container from stopping.
func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	return bodyOf(response, http.StatusOK)
}
