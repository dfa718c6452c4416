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

// Remote is a registry outside, as server.yml names it.
type Remote struct {
	Address  string // host, or host:port
	User     string
	Password string // a password or token; empty to ask without any
	Insecure bool   // plain HTTP will do
}

// Has tells whether the registry has the image's manifest. Its error is
// batuta.Denied if the credentials do not do, batuta.Unavailable if there is no
// sensible answer.
func (r Remote) Has(ctx context.Context, image batuta.Image) (bool, error) {
	var options []name.Option
	if r.Insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.NewDigest(image.String(), options...)
	if err != nil {
		return false, notAnImage(image, err)
	}
	_, err = remote.Head(ref, remote.WithContext(ctx), remote.WithAuth(r.credentials(ref)))
	return answerOf(image, err)
}

// credentials are given to the registry they are for, and to no other.
func (r Remote) credentials(ref name.Digest) authn.Authenticator {
	own, err := name.NewRegistry(r.Address)
	if err != nil || r.Password == "" || ref.Context().RegistryStr() != own.RegistryStr() {
		return authn.Anonymous
	}
	return &authn.Basic{Username: r.User, Password: r.Password}
}

// answerOf reads an answer out of the error of a HEAD request.
func answerOf(image batuta.Image, err error) (bool, error) {
	if err == nil {
		return true, nil
	}
	kind := batuta.Unavailable
	if refused, ok := errors.AsType[*transport.Error](err); ok {
		switch refused.StatusCode {
		case http.StatusNotFound:
			return false, nil
		case http.StatusUnauthorized, http.StatusForbidden:
			kind = batuta.Denied
		}
	}
	return false, &batuta.Error{Kind: kind, Message: fmt.Sprintf("look for %s", image), Err: err}
}
