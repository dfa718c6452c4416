// Package docker is one ship: a Docker host, reached through its Engine API.
// It is the last stop of a release: what package deployer has decided happens
// here, one container at a time. Everything that a ship is given carries
// labels, so that what runs can be told with an empty database.
//
// The Engine is reached at its socket, at a TCP port with TLS or without, or
// through SSH. SSH is spoken here, not by the program ssh, so that all calls to
// a ship share one connection (see tunnel): 25 calls at a time take 3 ms
// through it, where each ssh process takes 300 ms.
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
	// Reach is how the Engine is reached, beside its endpoint.
	Reach deployer.Reach
	// Late has a certificate or key that cannot be read be told when the ship
	// is asked something, not before.
	Late bool
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

	targets  targets
	networks flights[string]
	making   *semaphore.Weighted // of one: who makes a network
	looking  *semaphore.Weighted // who looks into containers
	pulls    flights[struct{}]
	locks    flights[string]
	remote   *remote
}

var _ deployer.Ship = (*Ship)(nil)

// Dial gives the ship at an endpoint: unix:///path, tcp://host:port, or
// ssh://user@host:port/path, whose parts beside the host may be left out. It is
// reached when it is first needed; an endpoint that cannot be one, or keys that
// cannot be read, are Invalid.
func Dial(name batuta.ShipName, endpoint string, o Options) (*Ship, error) {
	at, err := parseEndpoint(endpoint, o.Reach)
	if err != nil {
		return nil, fmt.Errorf("ship %s: %w", name, err)
	}
	transport, err := at.transport(o.Reach.TLS)
	if at.unfit = err; err != nil && !o.Late {
		return nil, fmt.Errorf("ship %s: %w", name, err)
	}
	web := &http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}
	c, err := client.NewClientWithOpts(client.WithHTTPClient(web), client.WithHost("tcp://"+at.host))
	if err != nil {
		return nil, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("ship %s", name), Err: err}
	}
	transport.Proxy, transport.DialContext = nil, at.dial // the client has set its own
	web.Transport = patient{transport, o.Reach.Timeout}
	s := &Ship{name: name, client: c, transport: transport, origin: at, auth: o.Auth, making: semaphore.NewWeighted(1), looking: semaphore.NewWeighted(inspections)}
	s.remote = &remote{ship: s, runtime: o.Runtime, idle: cmp.Or(o.ProbeIdle, time.Minute)}
	return s, nil
}

// Close lets go of the ship and ends the probe container. What runs there runs
// on.
func (s *Ship) Close() error {
	s.remote.close()
	s.transport.CloseIdleConnections()
	s.origin.close()
	return nil
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
