// Package builder turns one revision's source tree and a recipe into an image
// in a registry, named by its digest, with BuildKit. It is the second stop of
// a push: package internal/gitsource brought the tree, and what is built here
// becomes part of a release that package deployer puts on ships.
//
// Two kinds of BuildKit serve: the one that every Docker Engine since 20.10
// has built in, and a buildkitd. What differs between them is how they are
// dialled and how a built image reaches the registry; see [Config].
package builder

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/identity"

	"batuta"
)

// Login is a user and password for a registry; the zero value is anonymous.
type Login struct{ User, Password string }

// Config is what a Builder works with.
type Config struct {
	// Endpoint is where BuildKit answers:
	//
	//	docker://                  the Docker Engine on /var/run/docker.sock; so is empty
	//	docker+unix:///path        the Docker Engine on another socket
	//	docker+tcp://host:port     the Docker Engine of another host
	//	unix:///path               a buildkitd
	//	tcp://host:port            a buildkitd
	Endpoint string

	// Login gives the credentials for a registry (host[:port]); nil is
	// anonymous everywhere. It is asked during builds, at any time and
	// concurrently. A Request may have its own.
	Login func(host string) Login

	// Insecure lets a buildkitd push, and the builder ask the registry, over
	// plain HTTP. A Docker Engine decides by its own configuration; it always
	// allows loopback addresses.
	Insecure bool

	// Binary is the file of Batuta's own static binary, for the operating
	// system and architecture of the ships; needed by static recipes only.
	Binary string
}

// Builder builds with one BuildKit daemon. It is for concurrent use.
type Builder struct {
	config Config
	daemon daemon
	times  *times
}

// daemon is one kind of BuildKit.
type daemon interface {
	// buildkit is its BuildKit API.
	buildkit() *client.Client
	// fit gives the request as the daemon can fulfil it, or refuses it.
	fit(context.Context, Request, *progress) (Request, error)
	// export is how a solve delivers its result for publish.
	export(Request) client.ExportEntry
	// publish sees that the result is in the registry, and gives its digest there.
	publish(context.Context, Request, *client.SolveResponse, *progress) (batuta.Digest, error)
	// provenance is what it attests of the solve with this reference; nil if it keeps none.
	provenance(ctx context.Context, build string) (provenance, error)
	// version is the product and its version, freshly asked.
	version(context.Context) (string, error)
	// Close ends its connections.
	Close() error
}

// New gives the builder for a configuration. It does not connect: an
// unreachable daemon shows with Check or the first Build.
func New(c Config) (*Builder, error) {
	c.Endpoint = cmp.Or(c.Endpoint, defaultEndpoint)
	if c.Login == nil {
		c.Login = func(string) Login { return Login{} }
	}
	d, err := dial(c)
	if err != nil {
		return nil, err
	}
	return &Builder{config: c, daemon: d, times: newTimes()}, nil
}

// Build makes the image and pushes it. What BuildKit does is written to log
// line by line while it happens; a log that cannot be written is ignored.
//
// The error is Invalid if the recipe or what it runs is at fault, with the
// Dockerfile's line and the last lines of output in its message; Denied if a
// registry refuses the credentials; Conflict if Batuta's own registry has no
// room; Unavailable if the daemon or a registry does not answer or BuildKit's
// disk is full; and the context's own if that ended, in which case the daemon
// has stopped building, too.
func (b *Builder) Build(ctx context.Context, r Request, log io.Writer) (Result, error) {
	if err := r.check(); err != nil {
		return Result{}, err
	}
	if r.Login == nil {
		r.Login = b.config.Login
	}
	p := newProgress(log)
	r, err := b.daemon.fit(ctx, r, p)
	if err != nil {
		return Result{}, err
	}
	s, err := b.prepare(ctx, r)
	if err != nil {
		return Result{}, err
	}
	result, err := b.make(ctx, r, s, p)
	if err != nil {
		return Result{}, b.explain(ctx, r, err, p)
	}
	return result, nil
}

// make has the daemon solve and push what was prepared.
func (b *Builder) make(ctx context.Context, r Request, s solution, p *progress) (Result, error) {
	s.options.Ref = identity.NewID()
	response, err := b.solve(ctx, r, s, p)
	if err != nil {
		return Result{}, err
	}
	digest, err := b.daemon.publish(ctx, r, response, p)
	if err != nil {
		return Result{}, err
	}
	said, err := b.daemon.provenance(ctx, s.options.Ref)
	if err != nil {
		return Result{}, err
	}
	p.bases.read(said)
	text, err := said.json()
	return Result{
		Image: batuta.Image{Repository: r.Repository, Digest: digest},
		Bases: p.bases.list(), Provenance: text, Cached: p.cached(),
	}, err
}

// Check asks the daemon for its version, such as "Docker 20.10.24", and so
// tells whether it can be reached; if not, the error is Unavailable.
func (b *Builder) Check(ctx context.Context) (string, error) {
	v, err := b.daemon.version(ctx)
	if err != nil {
		return "", unavailable(err, "%s does not answer", b.config.Endpoint)
	}
	return v, nil
}

// Close ends the connections. Builds that still run fail.
func (b *Builder) Close() error { return b.daemon.Close() }

// invalid is an error that the person who wrote the recipe can mend.
func invalid(hint, format string, args ...any) error {
	return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// unavailable is an error that may pass.
func unavailable(err error, format string, args ...any) error {
	return &batuta.Error{Kind: batuta.Unavailable, Message: fmt.Sprintf(format, args...), Err: err}
}
