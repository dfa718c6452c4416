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

// counted is the name of the nth instance of a counted service, from 1.
func counted(s batuta.ServiceName, n int) batuta.InstanceName {
	return batuta.InstanceName(fmt.Sprintf("%s-%d", s, n))
}

// spread places n instances on ships, which must be sorted and not empty. One
// that already is on one of them stays; each other goes to the ship that has
// the fewest, in the order of names.
func spread(s batuta.ServiceName, n int, ships []batuta.ShipName, current map[batuta.InstanceName]batuta.ShipName) []placed {
	load := map[batuta.ShipName]int{}
	for k := range n {
		if ship, ok := current[counted(s, k+1)]; ok {
			load[ship]++
		}
	}
	out := make([]placed, n)
	for k := range n {
		name := counted(s, k+1)
		ship, ok := current[name]
		if !ok || !slices.Contains(ships, ship) {
			ship = slices.MinFunc(ships, func(a, b batuta.ShipName) int { return cmp.Compare(load[a], load[b]) })
			load[ship]++
		}
		out[k] = placed{name: name, ship: ship}
	}
	return out
}

// whereabouts tells on which ship each instance is now: where it runs, or else
// where its newest container is.
func whereabouts(containers []Container) map[batuta.InstanceName]batuta.ShipName {
	sorted := slices.SortedFunc(slices.Values(containers), func(a, b Container) int {
		return cmp.Or(compareBool(a.running(), b.running()), a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	out := map[batuta.InstanceName]batuta.ShipName{}
	for _, c := range sorted {
		out[c.Instance] = c.Ship
	}
	return out
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

// place gives every instance of a service its ship, in the order of names.
func (r *resolver) place(name batuta.ServiceName, s service) []placed {
	if s.Count == nil {
		var out []placed
		for _, i := range slices.SortedFunc(maps.Keys(s.Instances), compareNames) {
			own := s.Instances[i]
			if _, known := r.ships[own.Ship]; !known && own.Ship != "" {
				r.problem(servicePath(name, "instances", string(i), "ship"), fmt.Sprintf("no ship %q", own.Ship), r.suggestShip(own.Ship))
			}
			out = append(out, placed{i, own.Ship, own})
		}
		return out
	}
	var ships []batuta.ShipName
	for _, ship := range slices.Sorted(maps.Keys(r.ships)) {
		if s.On.matches(r.ships[ship].Labels) {
			ships = append(ships, ship)
		}
	}
	if n := min(max(*s.Count, 0), maxCount); len(ships) > 0 || n == 0 {
		return spread(name, n, ships, r.current)
	}
	if s.On == nil {
		r.problem(servicePath(name, "count"), "there is no ship to run it on", "")
	} else {
		r.problem(servicePath(name, "on"), fmt.Sprintf("no ship matches %s", s.On), "the ships are "+r.shipTexts())
	}
	return []placed{{name: counted(name, 1)}} // nowhere, so that the rest of it is checked too
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
