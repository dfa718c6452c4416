package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"batuta"
	"batuta/deployer"
)

// namePause is how long to wait for a name that is on its way in or out.
const namePause = 50 * time.Millisecond

// Create makes the container and the network of its environment. It is called
// as the instance says, unless somebody else's container has that name. One of
// the same scope, instance and config that is there already is taken if it
// never ran, replaced if it ended, and a Conflict if it runs. One that somebody
// changed by hand, or that is not Batuta's, is left alone.
// A network of the ship that is to be joined and is not there is NotFound.
func (s *Ship) Create(ctx context.Context, scope deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) (string, error) {
	id, err := s.create(ctx, scope, r, i)
	return id, s.fault(err, "create %s", i.Name)
}

func (s *Ship) create(ctx context.Context, scope deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) (string, error) {
	want, err := newBlueprint(scope, r, i)
	if err != nil {
		return "", err
	}
	if err := s.furnish(ctx, scope, i, want); err != nil {
		return "", err
	}
	id, err := s.place(ctx, scope, i, want)
	if err != nil {
		return "", err
	}
	if err := errors.Join(s.connect(ctx, id, i.Networks), s.putSecrets(ctx, id, i.Secrets)); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		return "", errors.Join(err, s.remove(ctx, id))
	}
	return id, nil
}

// place makes the container under the first of its names that it can have, or
// finds it.
func (s *Ship) place(ctx context.Context, scope deployer.Scope, i deployer.Instance, want *blueprint) (string, error) {
	if i.Called != "" { // another may have had that name when this one was made: its own does not tell
		if id, err := s.existing(ctx, want); id != "" || err != nil {
			return id, err
		}
	}
	names := containerNames(scope, i)
	for _, name := range names {
		id, err := s.createAs(ctx, name, want)
		if !errors.Is(err, errNameTaken) {
			return id, err
		}
	}
	return "", &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("the name %s is taken", names[len(names)-1])}
}

// existing finds the container that is wanted by its labels. No id and no
// error: there is none after this.
func (s *Ship) existing(ctx context.Context, want *blueprint) (string, error) {
	mine := filters.NewArgs()
	for key, value := range want.identity {
		mine.Add("label", key+"="+value)
	}
	found, err := s.client.ContainerList(ctx, container.ListOptions{All: true, Filters: mine})
	if err != nil {
		return "", err
	}
	for _, c := range found {
		if c.State != container.StateCreated {
			if made, err := s.client.ContainerInspect(ctx, c.ID); err == nil && len(altered(made)) > 0 {
				continue
			}
		}
		if id, err := s.reuse(ctx, listed(s.name, c).Name, c.ID, c.State); id != "" || err != nil {
			return id, err
		}
	}
	return "", nil
}

// errNameTaken is a name that another container has, and may keep.
var errNameTaken = errors.New("the name is another container's")

// createAs makes the container under a name, or finds it.
func (s *Ship) createAs(ctx context.Context, name string, want *blueprint) (string, error) {
	for {
		id, err := s.postCreate(ctx, name, want)
		if !errors.Is(err, batuta.Conflict) {
			return id, err
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

// postCreate sends the body itself, not what the client would make of it.
func (s *Ship) postCreate(ctx context.Context, name string, want *blueprint) (string, error) {
	query := url.Values{"name": {name}}
	if want.platform != "" {
		query.Set("platform", want.platform)
	}
	answer, err := s.stream(ctx, "/containers/create?"+query.Encode(), want.body, false)
	if err != nil {
		return "", err
	}
	defer answer.Close()
	said, err := io.ReadAll(answer) // to its end: the connection is used again
	if err != nil {
		return "", err
	}
	var made container.CreateResponse
	err = json.Unmarshal(said, &made)
	return made.ID, err
}

// settleName decides about the container that has the name: it is the one that
// is wanted, or the name is free after this (no id, no error), or in the way.
func (s *Ship) settleName(ctx context.Context, name string, found container.InspectResponse, want *blueprint) (string, error) {
	changed := found.State.Status != container.StateCreated && len(altered(found)) > 0
	if !hasLabels(found.Config.Labels, want.identity) || changed {
		return "", errNameTaken
	}
	return s.reuse(ctx, name, found.ID, found.State.Status)
}

// reuse decides about a container of the same scope, instance and config. No
// id and no error: it is gone, or going.
func (s *Ship) reuse(ctx context.Context, name, id string, state container.ContainerState) (string, error) {
	switch state {
	case container.StateCreated:
		return id, nil
	case container.StateExited, container.StateDead:
		return "", s.remove(ctx, id)
	case container.StateRemoving:
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
