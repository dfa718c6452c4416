package docker

import (
	"cmp"
	"context"
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
// the same time share one answer, and a network is known by its labels. Should
// two servers make one at the same moment, both take the older.
func (s *Ship) network(ctx context.Context, scope deployer.Scope) (string, error) {
	key := string(scope.App) + "\x00" + string(scope.Environment)
	return s.networks.do(ctx, key, func(ctx context.Context) (string, error) {
		found, err := s.findNetworks(ctx, scope)
		if err == nil && len(found) == 0 {
			if err = s.makeNetwork(ctx, scope); err == nil {
				found, err = s.findNetworks(ctx, scope)
			}
		}
		switch {
		case err != nil:
			return "", err
		case len(found) == 0:
			return "", &batuta.Error{Kind: batuta.Conflict, Message: "its network was removed by somebody else"}
		}
		for _, extra := range found[1:] {
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

// makeNetwork makes one network after the other, so that they do not compete
// for addresses. Those of another server may have been quicker.
func (s *Ship) makeNetwork(ctx context.Context, scope deployer.Scope) error {
	return s.addressed(ctx, func(addresses subnet) error { return s.makeNetworkOf(ctx, scope, addresses) })
}

// addressed makes a network with addresses that no other has.
func (s *Ship) addressed(ctx context.Context, create func(subnet) error) error {
	if err := s.making.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.making.Release(1)
	for {
		addresses, err := s.freeSubnet(ctx)
		if err == nil {
			err = create(addresses)
		}
		if err == nil || !lostAddresses(err) {
			return full(err)
		}
	}
}

// lostAddresses tells whether another was quicker to take addresses, which the
// Engine notices as it reserves them or only as it makes the bridge.
func lostAddresses(err error) bool {
	said := err.Error()
	return strings.Contains(said, "overlaps") || strings.Contains(said, "networks have overlapping")
}

func (s *Ship) makeNetworkOf(ctx context.Context, scope deployer.Scope, addresses subnet) error {
	var err error
	for _, name := range networkNames(scope) {
		_, err = s.client.NetworkCreate(ctx, name, addresses.options(scopeLabels(scope)))
		if !errdefs.IsConflict(err) {
			return err
		}
		if found, err := s.findNetworks(ctx, scope); err != nil || len(found) > 0 {
			return err
		}
	}
	return err
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
