package docker

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"batuta"
	"batuta/deployer"
)

// furnish sees that the ship has what the container needs, and puts what it is
// called there into the blueprint.
func (s *Ship) furnish(ctx context.Context, scope deployer.Scope, i deployer.Instance, want *blueprint) error {
	if _, err := s.engine(ctx); err != nil {
		return err
	}
	for _, a := range i.Networks {
		if err := s.networkExists(ctx, a.Network); err != nil {
			return err
		}
	}
	if i.NetworkMode == "" {
		own, err := s.network(ctx, scope)
		if err != nil {
			return err
		}
		want.join(own, i)
	}
	if err := s.nameVolumes(ctx, scope, i.Volumes); err != nil {
		return err
	}
	return s.findPeers(ctx, scope, i, want)
}

// networkExists looks for a network that somebody made on the ship.
func (s *Ship) networkExists(ctx context.Context, name string) error {
	_, err := s.client.NetworkInspect(ctx, name, network.InspectOptions{})
	if errdefs.IsNotFound(err) {
		return &batuta.Error{
			Kind: batuta.NotFound, Message: fmt.Sprintf("the ship has no network %s", name),
			Hint: "make it there: docker network create " + name,
		}
	}
	return err
}

// nameVolumes makes the named volumes that are missing, with the scope's
// labels. One that is there stays as it is.
func (s *Ship) nameVolumes(ctx context.Context, scope deployer.Scope, volumes []deployer.Volume) error {
	for _, v := range volumes {
		if path.IsAbs(v.Source) {
			continue
		}
		if _, err := s.client.VolumeCreate(ctx, volume.CreateOptions{Name: v.Source, Labels: scopeLabels(scope)}); err != nil {
			return err
		}
	}
	return nil
}

// findPeers puts containers of the ship in the place of the instances whose
// network, volumes or links the container is to have. What is not an instance
// of the scope stays as it is, for Docker to find or to refuse.
func (s *Ship) findPeers(ctx context.Context, scope deployer.Scope, i deployer.Instance, want *blueprint) error {
	host := &want.body.HostConfig
	var err error
	if peer, shared := strings.CutPrefix(i.NetworkMode, "container:"); shared {
		if peer, err = s.peer(ctx, scope, batuta.InstanceName(peer)); err != nil {
			return err
		}
		host.NetworkMode = "container:" + peer
	}
	for n, name := range i.VolumesFrom {
		if host.VolumesFrom[n], err = s.peer(ctx, scope, name); err != nil {
			return err
		}
	}
	if i.NetworkMode == "" { // its links are names in its network
		return nil
	}
	for n, l := range i.Links {
		peer, err := s.peer(ctx, scope, l.Instance)
		if err != nil {
			return err
		}
		host.Links[n] = peer + ":" + l.Alias
	}
	return nil
}

// peer is the id of the container of another instance: the latest that runs,
// or else the latest. If there is none, it is the name itself.
func (s *Ship) peer(ctx context.Context, scope deployer.Scope, name batuta.InstanceName) (string, error) {
	mine := inScope(scope)
	mine.Add("label", labelInstance+"="+string(name))
	list, err := s.client.ContainerList(ctx, container.ListOptions{All: true, Filters: mine})
	if err != nil {
		return "", err
	}
	best, runs := string(name), false
	for _, c := range list { // the latest comes first
		if running := c.State == container.StateRunning; best == string(name) || running && !runs {
			best, runs = c.ID, running
		}
	}
	return best, nil
}

// connect joins a container that does not run to further networks: Engines
// before API 1.44 make it in one alone. To be in one already is no error.
func (s *Ship) connect(ctx context.Context, id string, to []deployer.Attachment) error {
	for _, a := range to {
		if err := s.client.NetworkConnect(ctx, a.Network, id, &network.EndpointSettings{Aliases: a.Aliases}); err != nil {
			return err
		}
	}
	return nil
}
