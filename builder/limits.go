package builder

import (
	"context"

	"github.com/docker/docker/api/types/versions"
)

// The first Docker Engine whose BuildKit knows named contexts.
const contextsSince = "23.0"

// fit refuses what the BuildKit inside an Engine cannot do, and takes off what
// it can do without; the log says so.
func (e *engine) fit(ctx context.Context, r Request, p *progress) (Request, error) {
	const hint = "have this server build with a buildkitd: `builder` in server.yml"
	if n := len(r.Recipe.Platforms); n > 1 {
		return r, invalid(hint, "image %s is for %d platforms, and Docker's own BuildKit makes it for one", r.Image, n)
	}
	if len(r.Recipe.Contexts) > 0 {
		v, err := e.docker.ServerVersion(ctx)
		if err != nil {
			return r, unavailable(err, "Docker does not answer")
		}
		if versions.LessThan(v.Version, contextsSince) {
			return r, invalid(hint+", or Docker "+contextsSince, "image %s has contexts, which the BuildKit of Docker %s does not know", r.Image, v.Version)
		}
	}
	if r.Recipe.Cache.To == CacheMax {
		p.note("Docker's own BuildKit keeps no cache of all stages in a registry: the cache is kept inline")
		r.Recipe.Cache.To = CacheInline
	}
	if r.SBOM != "" {
		p.note("Docker's own BuildKit does not list what an image contains: there is no SBOM")
		r.SBOM = ""
	}
	return r, nil
}

// fit has nothing to refuse: a buildkitd can do all that a recipe says.
func (d *buildkitd) fit(_ context.Context, r Request, _ *progress) (Request, error) { return r, nil }
