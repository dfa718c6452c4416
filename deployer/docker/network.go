package docker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"batuta"
	"batuta/deployer"
)

// network gives the id of the scope's network, which it makes if there is
// none. Docker lets several networks have one name, so that those who ask at
// the same time share one answer, and a network is known by its labels.
func (s *Ship) network(ctx context.Context, scope deployer.Scope) (string, error) {
	key := string(scope.App) + "\x00" + string(scope.Environment)
	return s.networks.do(ctx, key, func(ctx context.Context) (string, error) {
		found, err := s.findNetworks(ctx, scope)
		if err != nil {
			return "", err
		}
		if len(found) == 0 {
			return s.makeNetwork(ctx, scope)
		}
		for _, extra := range found[1:] { // made by another server at the same moment
			_ = s.client.NetworkRemove(ctx, extra.ID) // one that is in use stays
		}
		return found[0].ID, nil
	})
}

// findNetworks lists the networks of the scope, oldest first.
func (s *Ship) findNetworks(ctx context.Context, scope deployer.Scope) ([]network.Summary, error) {
	c, err := s.engine(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.NetworkList(ctx, network.ListOptions{Filters: inScope(scope)})
	slices.SortFunc(found, func(a, b network.Summary) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	return found, err
}

func (s *Ship) makeNetwork(ctx context.Context, scope deployer.Scope) (string, error) {
	var err error
	for _, name := range networkNames(scope) {
		var made network.CreateResponse
		made, err = s.client.NetworkCreate(ctx, name, network.CreateOptions{Driver: "bridge", Labels: scopeLabels(scope)})
		if err == nil {
			return made.ID, nil
		}
		if !errdefs.IsConflict(err) {
			break
		}
	}
	if strings.Contains(err.Error(), "non-overlapping") {
		return "", &batuta.Error{
			Kind: batuta.Conflict, Message: "the ship has no addresses left for another network", Err: plain{err},
			Hint: `give its Docker more "default-address-pools" in /etc/docker/daemon.json, or remove networks that nothing uses`,
		}
	}
	return "", fmt.Errorf("make network %s: %w", networkNames(scope)[0], err)
}

// RemoveNetwork removes the scope's network. One that is not there is no
// error; one that a container of the scope still needs stays.
func (s *Ship) RemoveNetwork(ctx context.Context, scope deployer.Scope) error {
	found, err := s.findNetworks(ctx, scope)
	if err != nil {
		return s.fault(err, "find the network of %s", joined(string(scope.App), string(scope.Environment)))
	}
	users, err := s.client.ContainerList(ctx, container.ListOptions{All: true, Limit: 1, Filters: inScope(scope)})
	if err != nil || len(users) > 0 {
		return s.fault(err, "see who needs the network")
	}
	for _, n := range found {
		err := s.client.NetworkRemove(ctx, n.ID)
		if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsPermissionDenied(err) { // 403: in use
			return s.fault(err, "remove network %s", n.Name)
		}
	}
	return nil
}
