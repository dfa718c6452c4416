// Package lab is the test lab: the real parts that Batuta works with, on one
// machine. It gives the machine's own Docker Engine, several more Docker hosts
// ("ships") in network namespaces of their own, a BuildKit daemon, and a
// registry with stand-ins for the base images of Docker Hub.
//
// The lab is shared by every test binary and program of the machine. One
// process, the keeper (package lab/keeper), starts the parts when they are
// first asked for and owns them; whoever uses the lab holds a connection to
// it. When the last one has been gone for a minute, the keeper takes
// everything down and leaves nothing behind; a program that is killed merely
// loses its connection. The first user starts the keeper.
//
// Tests keep out of each other's way by the names and ports they use, not by
// fresh ships; a test that breaks a ship takes its own (OwnShips).
//
// The lab needs root (or sudo without a password), Linux, and Debian's
// docker.io, iproute2, iptables, mmdebstrap and busybox-static. Tests use the
// functions that take a testing.TB; other programs use Open.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"time"

	"batuta"
)

// Network addresses of the lab.
const (
	// Machine is where the machine that runs the tests answers to the ships.
	// A registry that a test starts must listen here for ships to pull from it.
	Machine = "10.77.0.1"
	// Network is the ships' network. Their daemons reach any registry in it
	// over plain HTTP.
	Network = "10.77.0.0/24"
)

// StateDir holds the sockets and logs of the running lab.
const StateDir = "/run/batuta-lab"

// Base names a base image of Docker Hub that the lab has a stand-in for, made
// of Debian's packages: the same name and command, Debian's version of it.
type Base string

// The base images, and the references that Dockerfiles know them by. Each is
// made once (about a minute, Busybox at once) and kept in the user's cache
// directory.
const (
	Busybox Base = "busybox" // busybox:latest
	Debian  Base = "debian"  // debian:bookworm-slim
	Node    Base = "node"    // node:20-slim; no npm
	Python  Base = "python"  // python:3.11-slim, with flask and gunicorn
	Ruby    Base = "ruby"    // ruby:3.1-slim, with bundler, sinatra and puma
	PHP     Base = "php"     // php:8.2-apache, with gd, mbstring, pdo_mysql and xml
	MariaDB Base = "mariadb" // mariadb:10.11, initialised from MARIADB_… as the official one is
)

// Registry is the base images' registry: plain HTTP, read by anyone, the same
// content at both addresses, which are host:port.
type Registry struct {
	Loopback string // 127.0.0.1:port, for the machine itself
	Bridge   string // Machine:port, for the ships
}

// Lab is one program's hold on the lab. Its methods may be called at the same
// time.
type Lab struct {
	keeper *rpc.Client
}

// Open takes hold of the lab, and starts its keeper if none runs. The parts
// stay up at least until Close.
func Open(ctx context.Context) (*Lab, error) {
	for {
		l, err := connect(ctx)
		if err == nil {
			return l, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("open the lab: %w", err)
		}
		if err := startKeeper(ctx); err != nil {
			return nil, fmt.Errorf("open the lab: %w", err)
		}
	}
}

// connect reaches a keeper that runs. One that is just going away refuses, or
// hangs up before it has answered.
func connect(ctx context.Context) (*Lab, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", Socket)
	if err != nil {
		return nil, err
	}
	l := &Lab{keeper: rpc.NewClient(conn)}
	if err := l.call(ctx, "Hello", 0, new(int)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close lets go of the lab and of the ships taken with OwnShips.
func (l *Lab) Close() error { return l.keeper.Close() }

// Docker gives the endpoint of the machine's own Docker Engine, starting it if
// none answers, with the given base images on it under the names that
// Dockerfiles use.
func (l *Lab) Docker(ctx context.Context, bases ...Base) (string, error) {
	var endpoint string
	return endpoint, l.call(ctx, "Docker", bases, &endpoint)
}

// Ships gives the n first ships, which are shared with everybody.
func (l *Lab) Ships(ctx context.Context, n int) ([]Ship, error) {
	return l.ships(ctx, ShipsRequest{Count: n})
}

// OwnShips gives n fresh ships that nobody else has until Close. They may be
// cut, frozen and killed.
func (l *Lab) OwnShips(ctx context.Context, n int) ([]Ship, error) {
	return l.ships(ctx, ShipsRequest{Count: n, Own: true})
}

func (l *Lab) ships(ctx context.Context, ask ShipsRequest) ([]Ship, error) {
	var ships []Ship
	if err := l.call(ctx, "Ships", ask, &ships); err != nil {
		return nil, err
	}
	for i := range ships {
		ships[i].lab = l
	}
	return ships, nil
}

// BuildKit gives the address (unix://…) of a BuildKit daemon whose docker.io
// is the base images' registry. Builds run in the machine's network. It
// reaches a registry on a loopback address over plain HTTP by itself; to push
// to another plain one, such as Machine:port, set the image exporter's
// registry.insecure=true.
func (l *Lab) BuildKit(ctx context.Context) (string, error) {
	daemon, err := Tool(ctx, "buildkitd")
	if err != nil {
		return "", err
	}
	var address string
	return address, l.call(ctx, "BuildKit", daemon, &address)
}

// Bases gives the registry that has the given base images, as
// library/<name>:<tag>. The ships have it as their mirror of docker.io.
func (l *Lab) Bases(ctx context.Context, bases ...Base) (Registry, error) {
	var registry Registry
	return registry, l.call(ctx, "Bases", bases, &registry)
}

// Down lets go of the lab and has it taken down now rather than in a minute,
// and waits until that is done. If others use it, it stays up, and the error
// has kind batuta.Conflict.
func (l *Lab) Down(ctx context.Context) error {
	inUse := Eventually(ctx, leaveTimeout, func() error {
		var others int
		if err := l.call(ctx, "Down", 0, &others); err != nil || others == 0 {
			return err
		}
		return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("the lab has %d other users", others), Hint: "it goes down a minute after the last of them"}
	})
	if err := errors.Join(inUse, l.Close()); err != nil {
		return err
	}
	return Eventually(ctx, time.Minute, keeperGone)
}

// leaveTimeout is how long the ships of a program that has just ended may take
// to be removed; until then it counts as a user.
const leaveTimeout = 15 * time.Second

// call asks the keeper for something; it gives up waiting, but not the
// keeper's work, when ctx ends.
func (l *Lab) call(ctx context.Context, act string, ask, answer any) error {
	call := l.keeper.Go("Lab."+act, ask, answer, make(chan *rpc.Call, 1))
	select {
	case <-ctx.Done():
		return fmt.Errorf("lab: %s: %w", act, ctx.Err())
	case <-call.Done:
	}
	if errors.Is(call.Error, io.ErrUnexpectedEOF) || errors.Is(call.Error, rpc.ErrShutdown) {
		return fmt.Errorf("lab: %s: the keeper went away (its log: %s): %w", act, Log, call.Error)
	}
	if call.Error != nil {
		return fmt.Errorf("lab: %s: %w", act, call.Error)
	}
	return nil
}
