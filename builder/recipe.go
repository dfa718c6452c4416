package builder

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
	Static     string            `json:"static,omitempty"`     // a directory to be served as it is by Batuta's own file server on port 8080

	// Platforms are what the image is made for, as os/architecture[/variant];
	// none is the daemon's own. Several make an index. What a Dockerfile runs
	// for another architecture needs an emulator on the daemon's machine.
	Platforms []string `json:"platforms,omitempty"`
	// SSH are ids of the keys that `RUN --mount=type=ssh,id=…` may use;
	// a mount without an id means "default".
	SSH []string `json:"ssh,omitempty"`
	// Contexts give what FROM and COPY --from call by a name of the recipe's
	// choosing: a directory of the source tree, docker-image://REFERENCE, or
	// image:NAME, which is another image of this app.
	Contexts map[string]string `json:"contexts,omitempty"`
	Cache    Cache             `json:"cache,omitzero"`
	NoCache  bool              `json:"no_cache,omitempty"` // everything is run anew
}

// Cache is what a build takes from earlier ones, beside what the daemon still
// has, and what it leaves to later ones.
type Cache struct {
	From []string `json:"from,omitempty"` // references to look into, beside the image's own cache
	To   string   `json:"to,omitempty"`   // CacheNone, CacheInline or CacheMax; empty is CacheNone
}

// How much a build leaves in the registry, under the tag cache of the image's
// repository, for builds of other daemons and after a daemon lost its own.
const (
	CacheNone   = "none"
	CacheInline = "inline" // what the image's own layers were made by, within its configuration
	CacheMax    = "max"    // the layers of all stages
)

// Prefixes of a named context that is no directory.
const (
	contextImage = "docker-image://" // a reference
	contextOwn   = "image:"          // an image of the same app
)
