package deployer

import (
	"maps"
	"slices"

	"batuta"
)

// findCycle gives the services that require each other in a circle, the first
// again at the end; nil if there is none. The same document always gives the
// same cycle.
func findCycle(services map[batuta.ServiceName]service) []batuta.ServiceName {
	done := map[batuta.ServiceName]bool{}
	var path []batuta.ServiceName
	var visit func(batuta.ServiceName) []batuta.ServiceName
	visit = func(name batuta.ServiceName) []batuta.ServiceName {
		if i := slices.Index(path, name); i >= 0 {
			return append(slices.Clone(path[i:]), name)
		}
		if done[name] {
			return nil
		}
		path = append(path, name)
		for _, r := range services[name].Requires {
			if cycle := visit(r); cycle != nil {
				return cycle
			}
		}
		path = path[:len(path)-1]
		done[name] = true
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		if cycle := visit(name); cycle != nil {
			return cycle
		}
	}
	return nil
}

// waves orders the services so that each stands in the first wave after all
// that it requires. There must be no cycle.
func waves(services map[batuta.ServiceName]service) [][]batuta.ServiceName {
	depth := map[batuta.ServiceName]int{}
	var visit func(batuta.ServiceName) int
	visit = func(name batuta.ServiceName) int {
		if d, known := depth[name]; known {
			return d
		}
		d := 0
		for _, r := range services[name].Requires {
			if _, declared := services[r]; declared {
				d = max(d, visit(r)+1)
			}
		}
		depth[name] = d
		return d
	}
	var out [][]batuta.ServiceName
	for _, name := range slices.Sorted(maps.Keys(services)) {
		d := visit(name)
		for len(out) <= d {
			out = append(out, nil)
		}
		out[d] = append(out[d], name)
	}
	return out
}

// names turns typed names into strings, in their order.
func names[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, n := range in {
		out[i] = string(n)
	}
	return out
}
