package deployer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"batuta"
)

// placed is an instance that has its ship.
type placed struct {
	name batuta.InstanceName
	ship batuta.ShipName
	own  instance // zero if it is one of a count
}

// placeAll gives every instance of the document its ship: first those that
// name it, then the counted services.
func (r *resolver) placeAll() {
	for _, ship := range r.current {
		r.load[ship]++
	}
	services := slices.Sorted(maps.Keys(r.body.Services))
	for _, name := range services {
		if s := r.body.Services[name]; s.Count == nil {
			r.places[name] = r.named(name, s)
		}
	}
	for _, name := range r.inOrder(services) {
		s := r.body.Services[name]
		r.places[name] = r.chosen(name, s)
		for _, p := range r.places[name] {
			r.occupy(p.ship, s.traits)
		}
	}
}

// named gives the instances that name their ship.
func (r *resolver) named(name batuta.ServiceName, s service) []placed {
	var out []placed
	for _, i := range slices.SortedFunc(maps.Keys(s.Instances), compareNames) {
		own := s.Instances[i]
		ship, known := r.ships[own.Ship]
		at := servicePath(name, "instances", string(i), "ship")
		switch {
		case !known && own.Ship != "":
			r.problem(at, fmt.Sprintf("no ship %q", own.Ship), r.suggestShip(own.Ship))
		case ship.Leaving:
			r.warn(at, fmt.Sprintf("%s stays on %s, which is being left", i, own.Ship), "name another ship, or write count: for an instance that may move")
		}
		if r.current[i] != own.Ship {
			r.load[own.Ship]++
		}
		r.occupy(own.Ship, s.under(own.traits))
		out = append(out, placed{i, own.Ship, own})
	}
	return out
}

// chosen gives a counted service's instances ships that match.
func (r *resolver) chosen(name batuta.ServiceName, s service) []placed {
	ships, matching := r.matching(s.On)
	switch {
	case s.Count.n == 0 && !s.Count.each:
		return nil
	case matching == 0:
		return r.nowhere(name, s)
	case s.Count.each:
		return r.onEach(name, ships)
	}
	where, fits := newBalance(r.withRoom(name, s, ships), s.Spread, r.load).place(name, s.Count.n, r.current)
	if !fits {
		where, fits = r.staying(name, s)
	}
	if !fits {
		r.problem(servicePath(name, "count"), fmt.Sprintf("every ship that %s could go to is silent, cordoned or being left", name), "uncordon one, or add a ship that matches")
		return []placed{{name: counted(name, 1)}}
	}
	out := make([]placed, len(where))
	for k, ship := range where {
		out[k] = placed{name: counted(name, k+1), ship: ship}
	}
	if len(slices.Compact(slices.Clone(where))) == 1 && len(where) > 1 {
		r.warn(servicePath(name, "count"), fmt.Sprintf("all %d instances are on %s: nothing is left when that ship fails", len(where), where[0]), "let another ship match, and take instances")
	}
	return out
}

// staying leaves a service's instances where they are, as no ship takes any;
// false if one is nowhere.
func (r *resolver) staying(name batuta.ServiceName, s service) ([]batuta.ShipName, bool) {
	where := make([]batuta.ShipName, s.Count.n)
	for k := range where {
		ship, known := r.ships[r.current[counted(name, k+1)]]
		if !known || !s.On.matches(ship.Labels) {
			return nil, false
		}
		where[k] = ship.Name
	}
	for k, ship := range where {
		if r.ships[ship].Leaving {
			r.warn(servicePath(name, "count"), fmt.Sprintf("%s stays on %s, which is being left: no other ship takes it", counted(name, k+1), ship), "uncordon one, or add a ship that matches")
		}
	}
	return where, true
}

// matching gives the ships that match and are not being left, and how many
// match in all. Services often have their selector in common.
func (r *resolver) matching(on selector) ([]ShipInfo, int) {
	key := on.String()
	if m, known := r.matched[key]; known {
		return m.ships, m.all
	}
	var m matched
	for _, ship := range r.order {
		if on.matches(ship.Labels) {
			m.all++
			if !ship.Leaving {
				m.ships = append(m.ships, ship)
			}
		}
	}
	r.matched[key] = m
	return m.ships, m.all
}

// matched is what a selector means.
type matched struct {
	ships []ShipInfo // by name
	all   int        // with those that are being left
}

// nowhere reports that no ship matches, and gives an instance nowhere, so that
// the rest of the service is checked too.
func (r *resolver) nowhere(name batuta.ServiceName, s service) []placed {
	if s.On == nil {
		r.problem(servicePath(name, "count"), "there is no ship to run it on", "")
	} else {
		r.problem(servicePath(name, "on"), fmt.Sprintf("no ship matches %s", s.On), "the ships are "+r.shipTexts())
	}
	return []placed{{name: counted(name, 1)}}
}

// onEach gives one instance to every ship; none comes to one that is cordoned.
func (r *resolver) onEach(name batuta.ServiceName, ships []ShipInfo) []placed {
	var out []placed
	for _, ship := range ships {
		i := onShip(name, ship.Name)
		if err := batuta.CheckName(string(i)); err != nil {
			r.error(servicePath(name), err)
		}
		_, there := r.current[i]
		if ship.Cordoned && !there {
			continue
		}
		if !there {
			r.load[ship.Name]++
		}
		out = append(out, placed{name: i, ship: ship.Name})
	}
	return out
}

// twice reports the names of instances that only their ships gave, and that
// are not unique.
func (r *resolver) twice(instances []Instance) {
	owner := make(map[batuta.InstanceName]batuta.ServiceName, len(instances))
	for _, i := range instances {
		first, taken := owner[i.Name]
		each := or(r.body.Services[i.Service].Count, count{}).each || or(r.body.Services[first].Count, count{}).each
		if taken && first != i.Service && each {
			r.problem(servicePath(i.Service), fmt.Sprintf("service %q has an instance %q too", first, i.Name), "instance names are unique in a document")
		}
		owner[i.Name] = i.Service
	}
}

// whereabouts tells on which ship each instance is now: where it runs, or else
// where its newest container is.
func whereabouts(containers []Container) map[batuta.InstanceName]batuta.ShipName {
	best := make(map[batuta.InstanceName]*Container, len(containers))
	for n := range containers {
		c := &containers[n]
		if b, known := best[c.Instance]; !known || c.later(b) {
			best[c.Instance] = c
		}
	}
	out := make(map[batuta.InstanceName]batuta.ShipName, len(best))
	for i, c := range best {
		out[i] = c.Ship
	}
	return out
}

// later tells whether c rather than other is where its instance is.
func (c *Container) later(other *Container) bool {
	return cmp.Or(compareBool(c.running(), other.running()), c.Created.Compare(other.Created), strings.Compare(c.ID, other.ID)) > 0
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// compareNames orders web-2 before web-10.
func compareNames[T ~string](a, b T) int {
	stemA, numberA := splitNumber(string(a))
	stemB, numberB := splitNumber(string(b))
	return cmp.Or(strings.Compare(stemA, stemB), cmp.Compare(numberA, numberB), strings.Compare(string(a), string(b)))
}

func splitNumber(s string) (stem string, number int) {
	stem = strings.TrimRight(s, "0123456789")
	number, _ = strconv.Atoi(s[len(stem):])
	return stem, number
}
