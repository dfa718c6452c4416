package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"batuta/deployer/trial"
)

var _ trial.Engine = (*Ship)(nil)

// trialLog bounds what the Engine keeps of what a container of a test prints.
const trialLog = "64m"

// makeTimeout bounds how long the Engine takes to make a thing.
const makeTimeout = 20 * time.Second

// lasting lets the Engine finish what it makes: what it was about to make when
// nobody listened any more, nobody would remove.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), makeTimeout)
}

func trialName() string { return "batuta-test-" + strings.ToLower(rand.Text()) }

// MakeTrialNetwork makes a network that nothing else is in.
func (s *Ship) MakeTrialNetwork(ctx context.Context, labels map[string]string) (string, error) {
	name := trialName()
	ctx, done := lasting(ctx)
	defer done()
	id, err := s.makeTrialNetwork(ctx, name, labels)
	if err == nil {
		return id, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	return "", s.fault(errors.Join(err, s.removeNetwork(ctx, name)), "make a network for a test") // the answer may have been lost, and not the question
}

func (s *Ship) makeTrialNetwork(ctx context.Context, name string, labels map[string]string) (id string, err error) {
	if _, err := s.engine(ctx); err != nil {
		return "", err
	}
	err = s.addressed(ctx, func(addresses subnet) error {
		made, err := s.client.NetworkCreate(ctx, name, addresses.options(labels))
		id = made.ID
		return err
	})
	return id, err
}

// CreateTrial makes a container of a test. Its image must have been pulled.
func (s *Ship) CreateTrial(ctx context.Context, c trial.Container) (string, error) {
	name := trialName()
	ctx, done := lasting(ctx)
	defer done()
	id, err := s.createTrial(ctx, name, c)
	if err == nil {
		return id, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	return "", s.fault(errors.Join(err, s.remove(ctx, name)), "create %s of a test", c.Alias)
}

func (s *Ship) createTrial(ctx context.Context, name string, c trial.Container) (string, error) {
	engine, err := s.engine(ctx)
	if err != nil {
		return "", err
	}
	config := &container.Config{Image: c.Image.String(), Cmd: c.Command, WorkingDir: c.Dir, User: c.User, Labels: c.Labels}
	if len(c.Program) > 0 {
		config.Entrypoint, config.Cmd = c.Program[:1], c.Program[1:]
	}
	for _, key := range slices.Sorted(maps.Keys(c.Env)) {
		config.Env = append(config.Env, key+"="+c.Env[key])
	}
	host := &container.HostConfig{
		NetworkMode: container.NetworkMode(c.Network), Init: new(true),
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": trialLog, "max-file": "1"}},
	}
	joined := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{c.Network: {Aliases: []string{c.Alias}}}}
	made, err := engine.ContainerCreate(ctx, config, host, joined, nil, name)
	return made.ID, err
}

// RemoveTrialNetwork removes a network that a test made. One that is gone is
// no error.
func (s *Ship) RemoveTrialNetwork(ctx context.Context, id string) error {
	return s.fault(s.removeNetwork(ctx, id), "remove network %.12s", id)
}

// removeNetwork asks again while the Engine still takes a container out of it.
func (s *Ship) removeNetwork(ctx context.Context, id string) error {
	c, err := s.engine(ctx)
	for err == nil {
		err = c.NetworkRemove(ctx, id)
		switch {
		case err == nil, errdefs.IsNotFound(err):
			return nil
		case errdefs.IsPermissionDenied(err), strings.Contains(err.Error(), "active endpoints"):
			err = pause(ctx, namePause)
		}
	}
	return err
}

// Trials lists the containers, running or not, and the networks that have a
// label with that value.
func (s *Ship) Trials(ctx context.Context, label, value string) (containers, networks []trial.Thing, err error) {
	containers, networks, err = s.trials(ctx, filters.NewArgs(filters.Arg("label", label+"="+value)))
	return containers, networks, s.fault(err, "list what tests left")
}

func (s *Ship) trials(ctx context.Context, marked filters.Args) (containers, networks []trial.Thing, err error) {
	c, err := s.engine(ctx)
	if err != nil {
		return nil, nil, err
	}
	made, err := c.ContainerList(ctx, container.ListOptions{All: true, Filters: marked})
	if err != nil {
		return nil, nil, err
	}
	for _, m := range made {
		containers = append(containers, trial.Thing{ID: m.ID, Labels: m.Labels})
	}
	joined, err := c.NetworkList(ctx, network.ListOptions{Filters: marked})
	for _, n := range joined {
		networks = append(networks, trial.Thing{ID: n.ID, Labels: n.Labels})
	}
	return containers, networks, err
}

// Archive is a file or directory of a container as tar. A relative path begins
// where the container's program does; one that is not there is NotFound.
func (s *Ship) Archive(ctx context.Context, id, file string) (io.ReadCloser, error) {
	content, err := s.archive(ctx, id, file)
	if err == nil {
		return content, nil
	}
	return nil, s.fault(err, "copy %s", file)
}

func (s *Ship) archive(ctx context.Context, id, file string) (io.ReadCloser, error) {
	c, err := s.engine(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.ContainerInspect(ctx, id)
	if err != nil {
		return nil, err
	}
	if !path.IsAbs(file) {
		file = path.Join("/", found.Config.WorkingDir, file)
	}
	content, _, err := c.CopyFromContainer(ctx, id, file)
	return content, err
}
