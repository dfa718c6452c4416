package maestro

import (
	"maps"
	"slices"

	"batuta"
)

// needs are the services that must be ready before the service starts.
func (s *service) needs() []string {
	out := slices.Clone(s.implied)
	for _, other := range s.requires {
		out = append(out, other.name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cycle gives the services that require each other in a circle, the first
// again at the end; nil if there is none. The same document always gives the
// same cycle.
func (d *Document) cycle() []string {
	done := map[string]bool{}
	var path []string
	var visit func(name string) []string
	visit = func(name string) []string {
		if i := slices.Index(path, name); i >= 0 {
			return append(slices.Clone(path[i:]), name)
		}
		if done[name] || d.services[name] == nil {
			return nil
		}
		path = append(path, name)
		for _, other := range d.services[name].needs() {
			if cycle := visit(other); cycle != nil {
				return cycle
			}
		}
		path = path[:len(path)-1]
		done[name] = true
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(d.services)) {
		if cycle := visit(name); cycle != nil {
			return cycle
		}
	}
	return nil
}

// waves orders the services so that each stands in the first wave after all
// that it needs. There must be no cycle.
func (d *Document) waves() [][]batuta.ServiceName {
	depth := map[string]int{}
	var visit func(name string) int
	visit = func(name string) int {
		if n, known := depth[name]; known {
			return n
		}
		n := 0
		for _, other := range d.services[name].needs() {
			n = max(n, visit(other)+1)
		}
		depth[name] = n
		return n
	}
	var out [][]batuta.ServiceName
	for _, name := range slices.Sorted(maps.Keys(d.services)) {
		n := visit(name)
		for len(out) <= n {
			out = append(out, nil)
		}
		out[n] = append(out[n], batuta.ServiceName(name))
	}
	return out
}

// required are the services that one requires, directly or not, as written;
// sorted, without itself.
func (d *Document) required(name string) []string {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		for _, other := range d.services[name].requires {
			if !seen[other.name] {
				seen[other.name] = true
				visit(other.name)
			}
		}
	}
	visit(name)
	delete(seen, name)
	return slices.Sorted(maps.Keys(seen))
}
