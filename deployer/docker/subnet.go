package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"batuta"
)

// Left to itself, Docker gives each network 65,536 addresses, and has room for
// thirty networks. So Batuta has it pick a range once, as it knows which are
// free of the ship's other routes, and gives each network 256 addresses of it.
// Only the first network of a ship has all that Docker gives it: to find a
// range takes longer than to start a container.
const subnetBits = 24

// subnet is a network's addresses and the range they were taken from; the zero
// value leaves both to Docker.
type subnet struct{ prefix, pool netip.Prefix }

// options are those of a network that has the addresses.
func (a subnet) options(labels map[string]string) network.CreateOptions {
	o := network.CreateOptions{Driver: "bridge", Labels: maps.Clone(labels)}
	if a.prefix.IsValid() {
		o.Labels[labelPool] = a.pool.String()
		o.IPAM = &network.IPAM{Config: []network.IPAMConfig{{Subnet: a.prefix.String()}}}
	}
	return o
}

// freeSubnet finds addresses that no network of the ship has.
func (s *Ship) freeSubnet(ctx context.Context) (subnet, error) {
	all, err := s.client.NetworkList(ctx, network.ListOptions{})
	if err != nil || !slices.ContainsFunc(all, ours) {
		return subnet{}, err
	}
	var pools, taken []netip.Prefix
	for _, n := range all {
		taken = append(taken, prefixes(n)...)
		if pool, err := netip.ParsePrefix(n.Labels[labelPool]); err == nil {
			pools = append(pools, pool)
		}
	}
	slices.SortFunc(pools, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	for _, pool := range slices.Compact(pools) {
		if free, ok := carve(pool, taken); ok {
			return subnet{free, pool}, nil
		}
	}
	pool, err := s.pickPool(ctx)
	free, _ := carve(pool, nil)
	return subnet{free, pool}, err
}

// ours tells whether Batuta made a network.
func ours(n network.Inspect) bool {
	for label := range n.Labels {
		if strings.HasPrefix(label, "batuta.") {
			return true
		}
	}
	return false
}

// carve finds the first part of the pool, of 256 addresses or all that it has,
// that overlaps with none of the taken.
func carve(pool netip.Prefix, taken []netip.Prefix) (netip.Prefix, bool) {
	if pool.Bits() > subnetBits {
		return pool, !slices.ContainsFunc(taken, pool.Overlaps)
	}
	for at := pool.Masked().Addr(); at.IsValid() && pool.Contains(at); {
		part := netip.PrefixFrom(at, subnetBits)
		if !slices.ContainsFunc(taken, part.Overlaps) {
			return part, true
		}
		at = after(part)
	}
	return netip.Prefix{}, false
}

// after is the first address behind a part.
func after(part netip.Prefix) netip.Addr {
	last := part.Addr().As4()
	last[3] = 255
	return netip.AddrFrom4(last).Next()
}

// pickPool has Docker pick a range, by making a network and removing it.
func (s *Ship) pickPool(ctx context.Context) (netip.Prefix, error) {
	s.sweepPools(ctx)
	made, err := s.client.NetworkCreate(ctx, "batuta-pool-"+strings.ToLower(rand.Text()[:8]), network.CreateOptions{
		Driver: "bridge", Labels: map[string]string{labelRole: rolePool},
	})
	if err != nil {
		return netip.Prefix{}, err
	}
	found, err := s.client.NetworkInspect(ctx, made.ID, network.InspectOptions{})
	if err := errors.Join(err, s.client.NetworkRemove(ctx, made.ID)); err != nil {
		return netip.Prefix{}, err
	}
	for _, p := range prefixes(found) {
		if p.Addr().Is4() {
			return p.Masked(), nil
		}
	}
	return netip.Prefix{}, errors.New("a network was made without IPv4 addresses")
}

// full says what to do if Docker has no addresses left.
func full(err error) error {
	if err == nil || !strings.Contains(err.Error(), "non-overlapping") {
		return err
	}
	return &batuta.Error{
		Kind: batuta.Conflict, Message: "the ship has no addresses left for another network", Err: plain{err},
		Hint: `give its Docker more "default-address-pools" in /etc/docker/daemon.json, or remove networks that nothing uses`,
	}
}

// sweepPools removes what servers left that were killed in pickPool. What is
// new may be another server's, which is just there.
func (s *Ship) sweepPools(ctx context.Context) {
	mine := filters.NewArgs(filters.Arg("label", labelRole+"="+rolePool))
	left, err := s.client.NetworkList(ctx, network.ListOptions{Filters: mine})
	if err != nil {
		return // there is a next time
	}
	for _, n := range left {
		if time.Since(n.Created) > startTimeout {
			_ = s.client.NetworkRemove(ctx, n.ID)
		}
	}
}

func prefixes(n network.Inspect) []netip.Prefix {
	var out []netip.Prefix
	for _, c := range n.IPAM.Config {
		if p, err := netip.ParsePrefix(c.Subnet); err == nil {
			out = append(out, p)
		}
	}
	return out
}
