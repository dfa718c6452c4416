package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"batuta"
	"batuta/deployer"
)

// Find tells which image, by Docker's own id, a reference means on the ship
// now; empty if none. One without a tag means the tag latest.
func (s *Ship) Find(ctx context.Context, ref string) (string, error) {
	id, err := s.find(ctx, ref)
	return id, s.fault(err, "look for image %s", ref)
}

func (s *Ship) find(ctx context.Context, ref string) (string, error) {
	named, err := parseReference(ref)
	if err != nil {
		return "", err
	}
	c, err := s.engine(ctx)
	if err != nil {
		return "", err
	}
	found, err := c.ImageInspect(ctx, named.String())
	if errdefs.IsNotFound(err) {
		return "", nil
	}
	return found.ID, err
}

// parseReference reads a reference as the Docker command line does.
func parseReference(ref string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not an image's reference", ref), Err: err}
	}
	return reference.TagNameOnly(named), nil
}

// Fetch pulls what a reference means in its registry now, whether the ship has
// such an image or not. The credentials are login, or else Options.Auth's, or
// else those of the person's own Docker configuration. Progress, which may be
// nil, gets percent of all layers, which never decrease.
func (s *Ship) Fetch(ctx context.Context, ref string, login *deployer.Login, progress func(int)) error {
	return s.fault(s.fetch(ctx, ref, login, progress), "pull %s", ref)
}

func (s *Ship) fetch(ctx context.Context, ref string, login *deployer.Login, progress func(int)) error {
	named, err := parseReference(ref)
	if err != nil {
		return err
	}
	credentials, err := s.credentialsFor(reference.Domain(named), login)
	if err != nil {
		return err
	}
	c, err := s.engine(ctx)
	if err != nil {
		return err
	}
	messages, err := c.ImagePull(ctx, named.String(), image.PullOptions{RegistryAuth: credentials})
	if err != nil {
		return registryFault(err)
	}
	defer messages.Close()
	return registryFault((&layers{tell: progress}).follow(messages))
}

// credentialsFor are those for a registry, as the Engine wants them; empty if
// there are none.
func (s *Ship) credentialsFor(host string, login *deployer.Login) (string, error) {
	if login == nil && s.auth != nil {
		if user, password, ok := s.auth(host); ok {
			login = &deployer.Login{User: user, Password: password}
		}
	}
	config := registry.AuthConfig{ServerAddress: host}
	if login != nil {
		config.Username, config.Password = login.User, login.Password
		return registry.EncodeAuthConfig(config)
	}
	own, err := ownLogin(host)
	if err != nil || own == (authn.AuthConfig{}) {
		return "", err
	}
	config.Username, config.Password, config.Auth = own.Username, own.Password, own.Auth
	config.IdentityToken, config.RegistryToken = own.IdentityToken, own.RegistryToken
	return registry.EncodeAuthConfig(config)
}

// ownLogin is what docker login has left for a registry; zero if nothing.
func ownLogin(host string) (authn.AuthConfig, error) {
	at, err := name.NewRegistry(host)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	found, err := authn.DefaultKeychain.Resolve(at)
	if err != nil {
		return authn.AuthConfig{}, fmt.Errorf("read your Docker configuration: %w", err)
	}
	own, err := found.Authorization()
	if err != nil {
		return authn.AuthConfig{}, fmt.Errorf("read your Docker configuration: %w", err)
	}
	return *own, nil
}

// layers is how far the layers of a pull are.
type layers struct {
	tell func(percent int) // nil: nobody asks
	done map[string]float64
	told int
}

// pulled is one message of a pull or load.
type pulled struct {
	ID             string
	Status         string
	Error          string
	ProgressDetail struct{ Current, Total float64 }
}

// follow reads the messages of a pull or load to their end.
func (l *layers) follow(r io.Reader) error {
	for d := json.NewDecoder(r); ; {
		var m pulled
		switch err := d.Decode(&m); {
		case errors.Is(err, io.EOF):
			l.say(100)
			return nil
		case err != nil:
			return err
		case m.Error != "":
			return errors.New(m.Error)
		}
		l.take(m)
	}
}

// take counts the download of a layer as one half of it, and its unpacking as
// the other.
func (l *layers) take(m pulled) {
	part := m.ProgressDetail.Current / cmp.Or(m.ProgressDetail.Total, 1)
	switch m.Status {
	case "Pulling fs layer", "Waiting":
		part = 0
	case "Downloading":
		part = min(part, 1) / 2
	case "Verifying Checksum", "Download complete":
		part = 0.5
	case "Extracting":
		part = 0.5 + min(part, 1)/2
	case "Pull complete", "Already exists":
		part = 1
	default:
		return // it is not about a layer
	}
	if l.done == nil {
		l.done = map[string]float64{}
	}
	l.done[m.ID] = max(part, l.done[m.ID])
	var sum float64
	for _, part := range l.done {
		sum += part
	}
	l.say(int(99 * sum / float64(len(l.done)))) // all of them is not yet the image
}

func (l *layers) say(percent int) {
	if l.tell != nil && percent > l.told {
		l.told = percent
		l.tell(percent)
	}
}
