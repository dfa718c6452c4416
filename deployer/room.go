package deployer

import (
	"cmp"
	"slices"

	"batuta"
)

// room is where fixed host ports are taken by the document itself, while its
// instances are being given their ships.
type room struct {
	taken map[batuta.ShipName][]Port                        // by instances that have their ship
	stays map[batuta.ShipName]map[batuta.ServiceName][]Port // by counted instances where they are now
}

// needs are the fixed host ports of what has these traits.
func needs(t traits) []Port {
	var all []Port
	for name, p := range t.Ports {
		all = append(all, p.resolve(name))
	}
	return slices.DeleteFunc(slices.Clone(onHost(t.Net, all)), func(p Port) bool { return !fixed(p) })
}

// inOrder are the counted services in the order in which they are placed:
// first those whose host ports are fixed, and of those the ones with the least
// choice; then by name.
func (r *resolver) inOrder(services []batuta.ServiceName) []batuta.ServiceName {
	counted := slices.DeleteFunc(slices.Clone(services), func(name batuta.ServiceName) bool { return r.body.Services[name].Count == nil })
	choice := map[batuta.ServiceName]int{}
	for _, name := range counted {
		choice[name] = len(r.ships) + 1
		if s := r.body.Services[name]; len(needs(s.traits)) > 0 {
			ships, _ := r.matching(s.On)
			choice[name] = len(ships)
			r.keep(name, s)
		}
	}
	slices.SortStableFunc(counted, func(a, b batuta.ServiceName) int { return cmp.Compare(choice[a], choice[b]) })
	return counted
}

// keep notes where a counted service's instances are now.
func (r *resolver) keep(name batuta.ServiceName, s service) {
	for k := range s.Count.n {
		ship, there := r.current[counted(name, k+1)]
		if !there {
			continue
		}
		if r.room.stays[ship] == nil {
			r.room.stays[ship] = map[batuta.ServiceName][]Port{}
		}
		r.room.stays[ship][name] = needs(s.traits)
	}
}

// occupy notes that a ship has an instance with these traits.
func (r *resolver) occupy(ship batuta.ShipName, t traits) {
	if ports := needs(t); len(ports) > 0 {
		r.room.taken[ship] = append(r.room.taken[ship], ports...)
	}
}

// withRoom are those of the ships on which the service's fixed host ports are
// free of the document's other instances: if there are enough of them, also of
// those that have not been placed yet and may stay where they are. If none is
// free, all are given, and the clash is told.
func (r *resolver) withRoom(name batuta.ServiceName, s service, ships []ShipInfo) []ShipInfo {
	ports := needs(s.traits)
	if len(ports) == 0 {
		return ships
	}
	var free, quiet []ShipInfo
	for _, ship := range ships {
		if anyClash(ports, r.room.taken[ship.Name]) {
			continue
		}
		free = append(free, ship)
		disturbs := false
		for other, theirs := range r.room.stays[ship.Name] {
			disturbs = disturbs || other != name && anyClash(ports, theirs)
		}
		if !disturbs {
			quiet = append(quiet, ship)
		}
	}
	switch {
	case len(quiet) >= s.Count.n && len(quiet) > 0:
		return quiet
	case len(free) > 0:
		return free
	}
	return ships
}

func anyClash(a, b []Port) bool {
	return slices.ContainsFunc(a, func(p Port) bool { return slices.ContainsFunc(b, p.clashes) })
}
