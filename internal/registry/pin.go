package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

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
	login := authn.Anonymous
	for _, known := range p {
		own, err := name.NewRegistry(known.Address)
		if err != nil || own.RegistryStr() != ref.Context().RegistryStr() {
			continue
		}
		if known.Insecure {
			ref, _ = name.ParseReference(reference, name.Insecure) // it parsed a moment ago
		}
		if known.Password != "" {
			login = &authn.Basic{Username: known.User, Password: known.Password}
		}
	}
	found, err := remote.Head(ref, remote.WithContext(ctx), remote.WithAuth(login))
	if err != nil {
		return batuta.Image{}, pinError(reference, err)
	}
	return batuta.Image{Repository: ref.Context().Name(), Digest: batuta.Digest(found.Digest.String())}, nil
}

func pinError(reference string, err error) error {
	kind := batuta.Unavailable
	if refused, ok := errors.AsType[*transport.Error](err); ok {
		switch refused.StatusCode {
		case http.StatusNotFound:
			kind = batuta.NotFound
		case http.StatusUnauthorized, http.StatusForbidden:
			kind = batuta.Denied
		}
	}
	return &batuta.Error{Kind: kind, Message: "find image " + reference, Err: err}
}
