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
	"strings"
	"time"

	"github.com/moby/buildkit/client"

	"batuta"
)

// Recipe is how one image is made, as batuta.yml says it. Paths are relative
// to the root of the source tree and stay within it.
//
// An image is made either from a Dockerfile or, with Static, from files alone.
//
// A Dockerfile is read by the frontend that is part of the BuildKit daemon. A
// line `# syntax=docker/dockerfile:…` asks for another release of that same
// frontend and is not followed, so that no build depends on Docker Hub for
// it; to follow it all the same, give the argument BUILDKIT_SYNTAX. A line
// that names any other frontend is followed, and its image fetched.
type Recipe struct {
	Context    string            `json:"context,omitempty"`    // the directory that COPY sees; empty is the whole tree
	Dockerfile string            `json:"dockerfile,omitempty"` // empty is Dockerfile in Context
	Target     string            `json:"target,omitempty"`     // the stage to stop at; empty is the last
	Args       map[string]string `json:"args,omitempty"`       // build arguments: seen in the image's history, so never secrets
	Secrets    []string          `json:"secrets,omitempty"`    // ids of the secrets that `RUN --mount=type=secret,id=…` may read
	SSH        []string          `json:"ssh,omitempty"`        // ids of the keys that `RUN --mount=type=ssh,id=…` may use
	Platforms  []string          `json:"platforms,omitempty"`  // linux/amd64, linux/arm64: several make an index; empty is the daemon's own
	Contexts   map[string]string `json:"contexts,omitempty"`   // further contexts by name: a path in the tree, docker-image://REFERENCE, or image:NAME, another image of the app
	Cache      Cache             `json:"cache,omitzero"`       // what earlier builds left in a registry
	NoCache    bool              `json:"no_cache,omitempty"`   // run every command anew
	Static     string            `json:"static,omitempty"`     // a directory to be served as it is by Batuta's own file server on port 8080
}

// Cache is what a build takes from earlier ones, beside what the daemon still
// has, and what it leaves to later ones.
type Cache struct {
	From []string `json:"from,omitempty"` // references to look into, beside the image's own cache
	To   string   `json:"to,omitempty"`   // inline: in the image; max: every stage, beside the image; none; empty: the daemon's default
}

// Request is one image to be built and where to push it.
type Request struct {
	App        batuta.AppName
	Image      batuta.ImageName
	Revision   batuta.Revision
	Source     string                            // the directory that holds the revision's tree
	Recipe     Recipe                            //
	Images     map[batuta.ImageName]batuta.Image // the app's other images, which image:NAME in Recipe.Contexts means
	SSH        map[string][]byte                 // private keys, in PEM, of the recipe's SSH ids
	Time       time.Time                         // of the commit: what the files of the image are dated
	Secrets    map[string][]byte                 // values of the recipe's secrets, at most 500 KB each
	Repository string                            // registry host[:port]/path

	// Login gives this build's credentials for a registry, in the place of
	// the Config's, to pull base images and to push; nil is the Config's. No
	// other build gets to use them. The images of the registry that is pushed
	// to are for those builds alone whose login may read them; the registry is
	// asked about each that a build names, even if the daemon has it already
	// because another build made or pulled it.
	//
	// A buildkitd from 0.26 on waits for that answer. An older one and a
	// Docker Engine only tell which images they read while they do: the build
	// is stopped then and nothing is pushed, but a command may have begun to
	// run. What cannot be prevented there: that a frontend of the app's
	// choosing hides what it reads, and that a build uses an image that the
	// Engine has under a name without this registry.
	Login func(host string) Login
}

// reference is what the image is pushed as. Registries want a tag; it is
// never read again, as it moves when a revision is built once more.
func (r Request) reference() string { return r.Repository + ":" + string(r.Revision) }

// sharedKey is under which a daemon keeps the files it was sent, so that a
// later build of the same image is sent only what differs.
func (r Request) sharedKey() string { return "batuta:" + string(r.App) + ":" + string(r.Image) }

// host is the registry's part of the repository.
func (r Request) host() string {
	host, _, _ := strings.Cut(r.Repository, "/")
	return host
}

// check refuses what would otherwise fail late or be understood differently.
func (r Request) check() error {
	if err := batuta.CheckRevision(string(r.Revision)); err != nil {
		return err
	}
	if host, path, _ := strings.Cut(r.Repository, "/"); host == "" || path == "" {
		return invalid("", "%q is not a repository with its registry", r.Repository)
	}
	for _, id := range r.Recipe.Secrets {
		if _, ok := r.Secrets[id]; !ok {
			return invalid("add it to the app's secrets on the server, or take it off the recipe", "build secret %q has no value", id)
		}
	}
	return nil
}

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
	// export is how a solve delivers its result for publish.
	export(Request) client.ExportEntry
	// publish sees that the result is in the registry, and gives its digest there.
	publish(context.Context, Request, *client.SolveResponse, *progress) (batuta.Digest, error)
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
func (b *Builder) Build(ctx context.Context, r Request, log io.Writer) (batuta.Image, error) {
	if err := r.check(); err != nil {
		return batuta.Image{}, err
	}
	if r.Login == nil {
		r.Login = b.config.Login
	}
	s, err := b.prepare(ctx, r)
	if err != nil {
		return batuta.Image{}, err
	}
	p := newProgress(log)
	response, err := b.solve(ctx, r, s, p)
	if err != nil {
		return batuta.Image{}, b.explain(ctx, r, err, p)
	}
	digest, err := b.daemon.publish(ctx, r, response, p)
	if err != nil {
		return batuta.Image{}, b.explain(ctx, r, err, p)
	}
	return batuta.Image{Repository: r.Repository, Digest: digest}, nil
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
