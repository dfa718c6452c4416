package config

import (
	"maps"
	"slices"

	"batuta"
	"batuta/internal/document"
)

// Reach is which of the server's ships may be used: those of a list of names,
// or those that have all labels of a mapping. The zero Reach is all ships.
type Reach struct {
	Names  []batuta.ShipName
	Labels map[string]string
}

// UnmarshalDocument reads [node1, node2] or {role: web}.
func (r *Reach) UnmarshalDocument(n document.Node) error {
	switch {
	case n.IsMap():
		if err := n.Decode(&r.Labels); err != nil {
			return err
		}
	case n.IsList():
		if err := n.Decode(&r.Names); err != nil {
			return err
		}
	default:
		n.Problem("want ships", "write a list of names, [node1, node2], or the labels they have, {role: web}")
		return nil
	}
	if len(r.Names)+len(r.Labels) == 0 {
		n.Problem("no ship is named", "name some, or leave the key out to allow all")
	}
	return nil
}

// of is the ships within reach, sorted.
func (r Reach) of(ships map[batuta.ShipName]Ship) []batuta.ShipName {
	within := []batuta.ShipName{}
	for _, name := range slices.Sorted(maps.Keys(ships)) {
		if r.includes(name, ships[name].Labels) {
			within = append(within, name)
		}
	}
	return within
}

func (r Reach) includes(name batuta.ShipName, labels map[string]string) bool {
	if r.Names != nil {
		return slices.Contains(r.Names, name)
	}
	for key, want := range r.Labels {
		if have, ok := labels[key]; !ok || have != want {
			return false
		}
	}
	return true
}
