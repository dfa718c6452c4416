package builder

import (
	"encoding/json"

	"batuta"
)

// Result is an image that was built and pushed, and how it came about.
type Result struct {
	Image batuta.Image `json:"image"`

	// Bases are the images that the build read, by reference and without
	// doubles: those of all stages, COPY --from and named contexts that the
	// image depends on.
	Bases []Base `json:"bases,omitempty"`

	// Provenance is what the daemon attests of the build, as SLSA's
	// predicate (https://slsa.dev/spec/v1.1/provenance); of several
	// platforms, an object of them by platform. It names secrets and never
	// has their values. Nil if the daemon keeps none, as a Docker Engine.
	Provenance json.RawMessage `json:"provenance,omitempty"`

	// Cached says that nothing had to run: every instruction's result was
	// known to the daemon.
	Cached bool `json:"cached,omitempty"`
}

// Base is an image that another is built from.
type Base struct {
	Reference string `json:"reference"` // in full: docker.io/library/node:20-slim

	// Digest is what the reference meant during the build. It is empty if no
	// registry gave the image: a Docker Engine used one that only it has.
	Digest batuta.Digest `json:"digest,omitempty"`

	// Newest tells that what was asked for is the newest release of an app,
	// whatever it is: whoever has that looked up says so.
	Newest bool `json:"newest,omitempty"`
}
