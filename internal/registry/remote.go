package registry

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"batuta"
)

// Remote is a registry as a client sees it: one outside, as server.yml names
// it, or our own.
type Remote struct {
	Address  string // host, or host:port
	User     string
	Password string            // a password or token; empty to ask without any
	Insecure bool              // plain HTTP will do
	Inside   http.RoundTripper // nil: over the network; else to the one of this process
	Own      bool              // without a password, that which docker login has left is used
}

// Has tells whether the registry has the image's manifest. Its error is
// batuta.Denied if the credentials do not do, batuta.Unavailable if there is no
// sensible answer.
func (r Remote) Has(ctx context.Context, image batuta.Image) (bool, error) {
	ref, options, err := r.reach(ctx, image)
	if err != nil {
		return false, err
	}
	_, err = remote.Head(ref, options...)
	err = clientError("look for "+image.String(), err)
	if errors.Is(err, batuta.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// is tells whether the repository is one of r's. Credentials are given to the
// registry they are for, and to no other.
func (r Remote) is(repository name.Repository) bool {
	own, err := name.NewRegistry(r.Address)
	return err == nil && own.RegistryStr() == repository.RegistryStr()
}

// login is what the registry is asked with. The error is of Docker's own
// configuration.
func (r Remote) login() (authn.Authenticator, error) {
	if r.Password != "" {
		return &authn.Basic{Username: r.User, Password: r.Password}, nil
	}
	at, err := name.NewRegistry(r.Address)
	if !r.Own || err != nil {
		return authn.Anonymous, nil //nolint:nilerr // what is no registry has no login
	}
	own, err := authn.DefaultKeychain.Resolve(at)
	if err != nil {
		return nil, &batuta.Error{Kind: batuta.Invalid, Message: "read your Docker configuration", Err: err}
	}
	return own, nil
}

func (r Remote) options() []name.Option {
	if r.Insecure {
		return []name.Option{name.Insecure}
	}
	return nil
}

// clientError gives what a request to a registry ended with its kind.
func clientError(act string, err error) error {
	if err == nil {
		return nil
	}
	kind := batuta.Unavailable
	if refused, ok := errors.AsType[*transport.Error](err); ok {
		switch refused.StatusCode {
		case http.StatusNotFound:
			kind = batuta.NotFound
		case http.StatusUnauthorized, http.StatusForbidden:
			kind = batuta.Denied
		}
	}
	return &batuta.Error{Kind: kind, Message: act, Err: err}
}
