package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"

	"batuta"
)

// Pull returns at once if the ship has the image, by digest. Those who want
// the same image at the same time wait for one pull.
func (s *Ship) Pull(ctx context.Context, i batuta.Image) error {
	return s.fault(s.bring(ctx, i), "pull %s", i)
}

func (s *Ship) bring(ctx context.Context, i batuta.Image) error {
	if err := batuta.CheckDigest(string(i.Digest)); err != nil {
		return err
	}
	c, err := s.engine(ctx)
	if err != nil {
		return err
	}
	if _, err := c.ImageInspect(ctx, i.String()); !errdefs.IsNotFound(err) {
		return err
	}
	_, err = s.pulls.do(ctx, i.String(), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.pull(ctx, i)
	})
	return err
}

func (s *Ship) pull(ctx context.Context, i batuta.Image) error {
	credentials, err := s.credentials(i)
	if err != nil {
		return err
	}
	progress, err := s.client.ImagePull(ctx, i.String(), image.PullOptions{RegistryAuth: credentials})
	if err != nil {
		return registryFault(err)
	}
	defer progress.Close()
	return registryFault(follow(progress))
}

// credentials are those for the image's registry.
func (s *Ship) credentials(i batuta.Image) (string, error) {
	named, err := reference.ParseNormalizedNamed(i.Repository)
	if err != nil {
		return "", &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a repository", i.Repository), Err: err}
	}
	return s.credentialsFor(reference.Domain(named), nil)
}

// follow reads the messages of a pull or load to their end.
func follow(r io.Reader) error { return new(layers).follow(r) }

// registryFaults are the kinds of what a registry, or the way to it, answers.
// The Engine passes it on as text alone, whatever status it came with. The
// first that matches counts.
var registryFaults = []struct {
	text string
	kind batuta.Kind
	hint string
}{
	{text: "server gave HTTP response to HTTPS client", kind: batuta.Invalid, hint: "the registry speaks plain HTTP: list it in the ship's \"insecure-registries\" in /etc/docker/daemon.json"},
	{text: "certificate", kind: batuta.Invalid, hint: "the ship does not trust the registry's certificate"},
	{text: "toomanyrequests", kind: batuta.Unavailable},
	{text: "unauthorized", kind: batuta.Denied},
	{text: "authentication required", kind: batuta.Denied},
	{text: "no basic auth credentials", kind: batuta.Denied},
	{text: "denied", kind: batuta.Denied},
	{text: "forbidden", kind: batuta.Denied},
	{text: "manifest unknown", kind: batuta.NotFound},
	{text: "name unknown", kind: batuta.NotFound},
	{text: "not found", kind: batuta.NotFound},
	{text: "no such host", kind: batuta.Unavailable},
	{text: "connection refused", kind: batuta.Unavailable},
	{text: "connection reset", kind: batuta.Unavailable},
	{text: "no route to host", kind: batuta.Unavailable},
	{text: "network is unreachable", kind: batuta.Unavailable},
	{text: "timeout", kind: batuta.Unavailable},
	{text: "deadline exceeded", kind: batuta.Unavailable},
	{text: "EOF", kind: batuta.Unavailable},
	{text: "received unexpected HTTP status: 5", kind: batuta.Unavailable},
}

// registryFault gives the error of a pull its kind. What is the ship's own
// fault stays as it is.
func registryFault(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		strings.Contains(err.Error(), diskFull) {
		return err
	}
	for _, f := range registryFaults {
		if strings.Contains(err.Error(), f.text) {
			return &batuta.Error{Kind: f.kind, Hint: f.hint, Err: plain{err}}
		}
	}
	return err
}
