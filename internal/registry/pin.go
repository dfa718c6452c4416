package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"batuta"
)

// Pinner finds out what image references mean. It asks each registry with the
// credentials that are for it, and those it does not know anonymously.
type Pinner []Remote

// Pin gives the digest that a reference such as postgres:17 means now. One
// that has a digest is not asked about. The error is batuta.Invalid if it is
// no reference, batuta.NotFound if the registry has no such image,
// batuta.Denied or batuta.Unavailable.
func (p Pinner) Pin(ctx context.Context, reference string) (batuta.Image, error) {
	if digest, err := name.NewDigest(reference); err == nil {
		return batuta.Image{Repository: digest.Context().Name(), Digest: batuta.Digest(digest.DigestStr())}, nil
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		return batuta.Image{}, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is no image reference", reference), Hint: "write name:tag or name@sha256:…", Err: err}
	}
	known := p.registryOf(ref.Context())
	if ref, err = name.ParseReference(reference, known.options()...); err != nil {
		return batuta.Image{}, fmt.Errorf("find image %s: %w", reference, err)
	}
	login, err := known.login()
	if err != nil {
		return batuta.Image{}, err
	}
	found, err := remote.Head(ref, remote.WithContext(ctx), remote.WithAuth(login))
	if err != nil {
		return batuta.Image{}, clientError("find image "+reference, err)
	}
	return batuta.Image{Repository: ref.Context().Name(), Digest: batuta.Digest(found.Digest.String())}, nil
}

// registryOf is the registry that has the repository; without credentials, if
// it is not a known one.
func (p Pinner) registryOf(repository name.Repository) Remote {
	if i := slices.IndexFunc(p, func(r Remote) bool { return r.is(repository) }); i >= 0 {
		return p[i]
	}
	return Remote{Address: repository.RegistryStr()}
}
