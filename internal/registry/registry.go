// Package registry is where the images that package builder made wait for the
// ships that run them: an OCI registry, mounted at /v2/ of the server's one
// port, with its files in the data directory. It is the distribution project's
// registry as a library, behind Batuta's own tokens. An image leaves it by
// digest, pulled by the ships to which package deployer sends it.
//
// Remote asks an outside registry the one question that the pipeline has for
// either kind: is this image there?
package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"batuta"
)

// Config is what a registry needs.
type Config struct {
	// Dir keeps the blobs, the manifests and the key that signs uploads. It is
	// made if it is missing. One process at a time may use it.
	Dir string
	// KeepFree is how many bytes of Dir's file system pushes leave alone, so
	// that a large image never takes the room that the server needs for its
	// own state. A push that would go below is refused, which the client shows
	// at once as "denied: no room: …". At least 64 MB are kept.
	KeepFree int64
	// Authorize decides each request.
	Authorize Authorize
	// Log gets what distribution says: at debug, or as an error if the
	// registry could not answer. Distribution writes to one logger for the
	// whole process, so the last registry made decides where that goes.
	Log *slog.Logger
}

// Registry is an OCI registry on local files. It is safe for concurrent use.
type Registry struct {
	app    *handlers.App
	routes http.Handler
	store  distribution.Namespace
}

// New opens the registry in c.Dir; what a killed process left there is as good
// as what Close left. The housekeeping that it starts (abandoned uploads go
// after a day) runs until Close, or until ctx ends.
func New(ctx context.Context, c Config) (*Registry, error) {
	if c.Authorize == nil || c.Log == nil {
		return nil, errors.New("open registry: Authorize and Log are required")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	key, err := uploadKey(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	files := filesystem.New(filesystem.DriverParameters{RootDirectory: c.Dir, MaxThreads: driverThreads})
	store, err := storage.NewRegistry(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	redirectLogs(c.Log)
	app := handlers.NewApp(ctx, settings(c.Dir, key))
	room := space{dir: c.Dir, keep: max(c.KeepFree, leastFree), log: c.Log}
	r := &Registry{app: app, store: store}
	r.routes = guard(c.Authorize, r.refers, room.protect(app))
	return r, nil
}

// driverThreads bounds the file operations under way at once.
const driverThreads = 100

// settings is distribution's configuration. There is deliberately no cache of
// blob descriptors: on local files it saves a few microseconds, and once
// retention deletes a blob it would go on claiming that the blob is there, so
// that the next push skips it and leaves an image with a hole.
func settings(dir, key string) *configuration.Configuration {
	c := &configuration.Configuration{
		Storage: configuration.Storage{
			"filesystem": {"rootdirectory": dir, "maxthreads": driverThreads},
			"delete":     {"enabled": true},
			"maintenance": {"uploadpurging": map[any]any{
				"enabled": true, "age": "24h", "interval": "6h", "dryrun": false,
			}},
		},
	}
	c.HTTP.Secret = key
	c.HTTP.RelativeURLs = true // right behind any host name, port or proxy
	c.Validation.Enabled = true
	return c
}

// ServeHTTP speaks the OCI distribution protocol under /v2/.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.routes.ServeHTTP(w, req) }

// Has tells whether the image's manifest is here. A manifest is only ever
// taken in after everything it refers to.
func (r *Registry) Has(ctx context.Context, image batuta.Image) (bool, error) {
	name, dgst, err := parse(image)
	if err != nil {
		return false, err
	}
	repository, err := r.store.Repository(ctx, name)
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", image, err)
	}
	manifests, err := repository.Manifests(ctx)
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", image, err)
	}
	found, err := manifests.Exists(ctx, dgst)
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", image, err)
	}
	return found, nil
}

// parse gives the image's repository without the registry's host.
func parse(image batuta.Image) (reference.Named, digest.Digest, error) {
	if err := batuta.CheckDigest(string(image.Digest)); err != nil {
		return nil, "", err
	}
	full, err := reference.ParseNormalizedNamed(image.Repository)
	if err != nil {
		return nil, "", notAnImage(image, err)
	}
	name, err := reference.WithName(reference.Path(full))
	if err != nil {
		return nil, "", notAnImage(image, err)
	}
	return name, digest.Digest(image.Digest), nil
}

func notAnImage(image batuta.Image, err error) error {
	return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not an image", image), Err: err}
}

// Close ends the housekeeping. Requests under way are the HTTP server's to
// wait for, before.
func (r *Registry) Close() error { return r.app.Shutdown() }
