package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"batuta"
	"batuta/deployer"
)

// namePause is how long to wait for a name that is on its way in or out.
const namePause = 50 * time.Millisecond

// Create makes the container and the network of its environment. Of one that
// has its name already: if it has the same scope, instance and config, it is
// taken if it never ran, replaced if it ended, and a Conflict if it runs; one
// that is not Batuta's is a Conflict and is left alone.
func (s *Ship) Create(ctx context.Context, scope deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) (string, error) {
	id, err := s.create(ctx, scope, r, i)
	return id, s.fault(err, "create %s", i.Name)
}

func (s *Ship) create(ctx context.Context, scope deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) (string, error) {
	network, err := s.network(ctx, scope)
	if err != nil {
		return "", err
	}
	want, err := newBlueprint(scope, r, i, network)
	if err != nil {
		return "", err
	}
	for _, name := range containerNames(scope, i) {
		id, err := s.createAs(ctx, name, want)
		if !errors.Is(err, errNameOfOurs) {
			return id, err
		}
	}
	return "", &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("the name %s is taken", containerNames(scope, i)[1])}
}

// errNameOfOurs is a name that another container of Batuta's has.
var errNameOfOurs = errors.New("the name is another container's")

// createAs makes the container under a name, or finds it.
func (s *Ship) createAs(ctx context.Context, name string, want blueprint) (string, error) {
	for {
		made, err := s.client.ContainerCreate(ctx, want.config, want.host, want.networking, nil, name)
		if !errdefs.IsConflict(err) {
			return made.ID, err
		}
		found, err := s.client.ContainerInspect(ctx, name)
		switch {
		case err == nil:
			id, err := s.settleName(ctx, name, found, want)
			if id != "" || err != nil {
				return id, err
			}
		case !errdefs.IsNotFound(err):
			return "", err
		}
		if err := pause(ctx, namePause); err != nil {
			return "", err
		}
	}
}

// settleName decides about the container that has the name: it is the one that
// is wanted, or the name is free after this (no id, no error), or in the way.
func (s *Ship) settleName(ctx context.Context, name string, found container.InspectResponse, want blueprint) (string, error) {
	state := found.State.Status
	switch have := found.Config.Labels; {
	case have[labelConfig] == "" || have[labelInstance] == "":
		return "", &batuta.Error{
			Kind: batuta.Conflict, Message: fmt.Sprintf("a container that is not Batuta's has the name %s (%.12s)", name, found.ID),
			Hint: "rename or remove it",
		}
	case !hasLabels(have, want.identity):
		return "", errNameOfOurs
	case state == container.StateCreated:
		return found.ID, nil
	case state == container.StateExited || state == container.StateDead:
		return "", s.remove(ctx, found.ID)
	case state == container.StateRemoving:
		return "", nil
	}
	return "", &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("%s is there already, and %s", name, state)}
}

// pause waits for a moment.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
