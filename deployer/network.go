package deployer

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"batuta"
	"batuta/internal/document"
)

// networks are networks of the ship that a container joins beside its
// environment's own: a list of names, or a mapping of names to {aliases}.
type networks map[string]attachment

type attachment struct {
	Aliases oneOrMore `yaml:"aliases"`
}

func (s *networks) UnmarshalDocument(n document.Node) error {
	if n.IsMap() {
		return n.Decode((*map[string]attachment)(s))
	}
	var names oneOrMore
	if err := n.Decode(&names); err != nil {
		return err
	}
	*s = networks{}
	for _, name := range names {
		(*s)[name] = attachment{}
	}
	return nil
}

func (s networks) resolve() []Attachment {
	var out []Attachment
	for _, name := range slices.Sorted(maps.Keys(s)) {
		out = append(out, Attachment{Network: name, Aliases: sorted(s[name].Aliases)})
	}
	return out
}

// host is where an extra host's name leads: an address, or {ship: NAME}.
type host struct {
	address string
	ship    batuta.ShipName
	path    document.Path
}

// hostGateway is Docker's word for the ship itself, as its containers see it.
const hostGateway = "host-gateway"

func (h *host) UnmarshalDocument(n document.Node) error {
	h.path = n.Path()
	if address, ok := n.Scalar(); ok {
		h.address = address
		if _, err := netip.ParseAddr(address); err != nil && address != hostGateway {
			return invalid(fmt.Sprintf("%q is not an address", address), "write an IP address, host-gateway, or {ship: NAME}")
		}
		return nil
	}
	var long struct {
		Ship batuta.ShipName `yaml:"ship"`
	}
	if err := n.Decode(&long); err != nil {
		return err
	}
	if h.ship = long.Ship; h.ship == "" {
		return invalid("the host has no address", "write an IP address, host-gateway, or {ship: NAME}")
	}
	return nil
}

// extraHosts gives name:address, sorted.
func (r *resolver) extraHosts(hosts map[string]host) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		h := hosts[name]
		address := h.address
		if h.ship != "" {
			ship, known := r.ships[h.ship]
			if !known {
				r.problem(h.path.At("ship"), fmt.Sprintf("no ship %q", h.ship), r.suggestShip(h.ship))
			}
			address = ship.Address
			if _, err := netip.ParseAddr(address); known && err != nil {
				r.problem(h.path.At("ship"), fmt.Sprintf("ship %s is known by the name %q, not by an address", h.ship, address), "write the address itself, or give the ship an IP address")
			}
		}
		out = append(out, name+":"+address)
	}
	return out
}

// netPeer is the instance whose network a container shares.
func netPeer(net string) (batuta.InstanceName, bool) {
	peer, shares := strings.CutPrefix(net, "container:")
	return batuta.InstanceName(peer), shares
}

// connections checks what the instances' network modes exclude, and that those
// whose network, volumes or names another has are of the document, and on the
// same ship.
func (r *resolver) connections(instances []Instance) {
	ship := map[batuta.InstanceName]batuta.ShipName{}
	for _, i := range instances {
		ship[i.Name] = i.Ship
	}
	for _, i := range instances {
		for _, l := range i.Links {
			r.beside(i, "links", l.Instance, ship)
		}
		for _, other := range i.VolumesFrom {
			r.beside(i, "volumes_from", other, ship)
		}
		if i.NetworkMode == "" {
			continue
		}
		peer, shares := netPeer(i.NetworkMode)
		for key, has := range map[string]bool{"aliases": len(i.Aliases) > 0, "networks": len(i.Networks) > 0, "ports": shares && len(i.Ports) > 0,
			"hostname": shares && i.Hostname != "", "dns": shares && len(i.DNS) > 0, "extra_hosts": shares && len(i.ExtraHosts) > 0, "links": (shares || i.NetworkMode == hostNet) && len(i.Links) > 0,
		} {
			if has {
				r.problem(r.pathOf(i.Service, i.Name, key), fmt.Sprintf("with net: %s there can be no %s", i.NetworkMode, key), "keep one")
			}
		}
		if shares {
			r.beside(i, "net", peer, ship)
		}
	}
}

// beside checks that another instance that i is joined with is on i's ship.
func (r *resolver) beside(i Instance, key string, other batuta.InstanceName, ship map[batuta.InstanceName]batuta.ShipName) {
	where, known := ship[other]
	path := r.pathOf(i.Service, i.Name, key)
	switch {
	case !known:
		r.problem(path, fmt.Sprintf("no instance %q", other), document.Suggest(string(other), words(slices.Collect(maps.Keys(ship)))))
	case other == i.Name:
		r.problem(path, fmt.Sprintf("%s names itself", other), "name another instance")
	case where != i.Ship:
		r.problem(path, fmt.Sprintf("%s is on %s, and %s on %s", i.Name, i.Ship, other, where), "give both the same ship")
	}
}

func sorted(in []string) []string { return slices.Compact(slices.Sorted(slices.Values(in))) }
