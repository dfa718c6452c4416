// Package docker is one ship: a Docker host, reached through its Engine API.
// It is the last stop of a release: what package deployer has decided happens
// here, one container at a time. Everything that a ship is given carries
// labels, so that what runs can be told with an empty database.
package docker

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
	"golang.org/x/sync/semaphore"

	"batuta"
	"batuta/deployer"
)

// minAPI is the oldest Engine API that is spoken: Docker 20.10.
const minAPI = "1.41"

// Options are what a ship needs beside its address. The zero value is a ship
// that pulls without credentials.
type Options struct {
	// Auth gives the credentials for a registry, which it knows by the host in
	// an image's repository: docker.io, registry.example.edu:5000. It may be
	// nil.
	Auth func(registry string) (user, password string, ok bool)
	// Runtime is brought to the ship when a check over its network needs it.
	// If it is nil, only containers that are processes of this machine can be
	// checked over the network.
	Runtime Runtime
	// ProbeIdle is how long a probe container that has nothing to do is kept.
	// Zero means a minute.
	ProbeIdle time.Duration
}

// Ship is one Docker host. Its methods may be called at the same time, and
// each gives up when its ctx ends. Their errors name the ship.
type Ship struct {
	name       batuta.ShipName
	client     *client.Client
	transport  *http.Transport // the client's
	origin     origin
	negotiated atomic.Bool
	auth       func(registry string) (user, password string, ok bool)

	networks flights[string]
	making   *semaphore.Weighted // of one: who makes a network
	pulls    flights[struct{}]
	remote   *remote
}

var _ deployer.Ship = (*Ship)(nil)

// Dial gives the ship at an endpoint, unix:///path or tcp://host:port. It is
// reached when it is first needed; an endpoint that cannot be one is Invalid.
func Dial(name batuta.ShipName, endpoint string, o Options) (*Ship, error) {
	at, err := parseEndpoint(endpoint)
	if err != nil {
		return nil, fmt.Errorf("ship %s: %w", name, err)
	}
	transport := at.transport()
	c, err := client.NewClientWithOpts(
		client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}),
		client.WithHost(endpoint))
	if err != nil {
		return nil, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("ship %s", name), Err: err}
	}
	at.direct(transport) // the client has set the environment's HTTP proxy
	s := &Ship{name: name, client: c, transport: transport, origin: at, auth: o.Auth, making: semaphore.NewWeighted(1)}
	s.remote = &remote{ship: s, runtime: o.Runtime, idle: cmp.Or(o.ProbeIdle, time.Minute)}
	return s, nil
}

// Close lets go of the ship and ends the probe container. What runs there runs
// on.
func (s *Ship) Close() error {
	s.remote.close()
	return s.client.Close()
}

// engine gives the client once the API version is agreed on. The client could
// do so itself, but would then let one call wait for another's answer beyond
// its own ctx.
func (s *Ship) engine(ctx context.Context) (*client.Client, error) {
	if s.negotiated.Load() {
		return s.client, nil
	}
	ping, err := s.client.Ping(ctx)
	if err != nil {
		return nil, err
	}
	if versions.LessThan(ping.APIVersion, minAPI) {
		return nil, &batuta.Error{
			Kind: batuta.Invalid, Message: fmt.Sprintf("its Engine API is %s", ping.APIVersion),
			Hint: fmt.Sprintf("install Docker 20.10 (API %s) or later", minAPI),
		}
	}
	s.client.NegotiateAPIVersionPing(ping)
	s.negotiated.Store(true)
	return s.client, nil
}

// Info is what a ship says of itself.
type Info struct {
	Version    string // Docker's
	API        string // the version that is spoken with it
	Platform   string // linux/x86_64
	Containers int    // all of them, not only ours
	Running    int
}

// Ping asks the ship for a sign of life.
func (s *Ship) Ping(ctx context.Context) (Info, error) {
	c, err := s.engine(ctx)
	if err != nil {
		return Info{}, s.fault(err, "ping")
	}
	i, err := c.Info(ctx)
	if err != nil {
		return Info{}, s.fault(err, "ping")
	}
	return Info{
		Version: i.ServerVersion, API: c.ClientVersion(), Platform: i.OSType + "/" + i.Architecture,
		Containers: i.Containers, Running: i.ContainersRunning,
	}, nil
}
