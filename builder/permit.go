package builder

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/pb"
	sourcepolicy "github.com/moby/buildkit/sourcepolicy/pb"
	"github.com/moby/buildkit/sourcepolicy/policysession"

	"batuta"
)

// permit tells which images of one registry a build may read: those that the
// registry lets its login read. A daemon asks the registry only for what it
// does not have, and it has what every other build made and pulled.
type permit struct {
	host     string
	login    func(host string) Login
	insecure bool

	mu      sync.Mutex
	asked   map[string]error // by reference
	refused *refusal         // the first
}

// refusal is an image that a build may not read, or for which that could not
// be found out.
type refusal struct {
	reference string
	err       error
}

func (r *refusal) Error() string { return "read " + r.reference + ": " + r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// refusal is the first error that read gave; nil if there was none.
func (p *permit) refusal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused == nil {
		return nil
	}
	return p.refused
}

// read is nil if the build may read the image. The registry is asked once.
func (p *permit) read(ctx context.Context, reference string) error {
	if !strings.HasPrefix(reference, p.host+"/") {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err, known := p.asked[reference]
	if known {
		return err
	}
	if err = p.ask(ctx, reference); err != nil && p.refused == nil && ctx.Err() == nil {
		p.refused = &refusal{reference, err}
	}
	if p.asked == nil {
		p.asked = map[string]error{}
	}
	p.asked[reference] = err
	return err
}

// ask puts the question to the registry. An image that is not there may be
// read, for what that is worth: the registry refuses before it looks.
func (p *permit) ask(ctx context.Context, reference string) error {
	var options []name.Option
	if p.insecure {
		options = append(options, name.Insecure)
	}
	image, err := name.ParseReference(reference, options...)
	if err != nil {
		return &batuta.Error{Kind: batuta.Invalid, Message: reference + " is no image", Err: err}
	}
	auth := authn.Anonymous
	if l := p.login(p.host); l.Password != "" {
		auth = &authn.Basic{Username: l.User, Password: l.Password}
	}
	_, err = remote.Head(image, remote.WithContext(ctx), remote.WithAuth(auth))
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		switch answer.StatusCode {
		case http.StatusNotFound:
			return nil
		case http.StatusUnauthorized, http.StatusForbidden:
			return &batuta.Error{Kind: batuta.Denied, Message: "the registry does not let this app's builds read the image",
				Hint: "build from an image of the app's own, or from one that its login may read"}
		}
	}
	if err != nil {
		return unavailable(err, "ask the registry whether the image may be read")
	}
	return nil
}

// policy answers a daemon that asks, before it uses a source, whether it may.
// Daemons that know nothing of this do not ask.
func (p *permit) policy() *policysession.PolicyProvider {
	return policysession.NewPolicyProvider(func(ctx context.Context, r *policysession.CheckPolicyRequest) (*policysession.DecisionResponse, *gateway.ResolveSourceMetaRequest, error) {
		scheme, reference, _ := strings.Cut(r.GetSource().GetSource().GetIdentifier(), "://")
		answer := &policysession.DecisionResponse{Action: sourcepolicy.PolicyAction_ALLOW}
		if strings.HasPrefix(scheme, "docker-image") { // or docker-image-blob
			if err := p.read(ctx, reference); err != nil {
				answer.Action = sourcepolicy.PolicyAction_DENY
			}
		}
		return answer, nil, nil
	})
}

// watch is read for the images that a daemon's steps are named after, whether
// they have begun or not.
func (p *permit) watch(ctx context.Context, s *client.SolveStatus) error {
	for _, v := range s.Vertexes {
		if reference, ok := readImage(v.Name); ok {
			if err := p.read(ctx, reference); err != nil {
				return err
			}
		}
	}
	return nil
}
