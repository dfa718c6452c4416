package deployer

import (
	"cmp"
	"slices"

	"batuta"
)

// orphans gives the changes that stop what is no longer declared, after all
// waves: first what nothing else of it requires.
func (d differ) orphans() []Change {
	var gone []*Container
	for n := range d.have.Containers {
		c := &d.have.Containers[n]
		if _, hook := c.hook(); !hook && !d.declared[c.Instance] {
			gone = append(gone, c)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	order := d.farewell(gone)
	out := make([]Change, 0, len(gone))
	for _, c := range gone {
		out = append(out, Change{
			Action: Stop, Wave: len(d.want.Waves) + 1 + order.level(c.Service), Service: c.Service, Instance: c.Instance, Ship: c.Ship,
			Old: []string{c.ID}, Reasons: []string{"no longer declared"}, old: []Container{*c},
		})
	}
	return arranged(out, func(a, b *Change) int {
		return cmp.Or(cmp.Compare(a.Wave, b.Wave), cmp.Compare(a.Service, b.Service))
	})
}

// farewell is the order in which services stop that are no longer declared, or
// of which some instances are not: whatever requires another before that one.
type farewell struct {
	services []batuta.ServiceName // sorted
	declared map[batuta.ServiceName]bool
	behind   map[batuta.ServiceName]map[batuta.ServiceName]bool
	levels   map[batuta.ServiceName]int
}

// farewell reads what requires what from the document and, of services that it
// does not know any more, from the labels of their containers.
func (d differ) farewell(gone []*Container) *farewell {
	all := Spec{Services: map[batuta.ServiceName]Service{}}
	out := &farewell{declared: map[batuta.ServiceName]bool{}, levels: map[batuta.ServiceName]int{}}
	for name, s := range d.want.Services {
		all.Services[name], out.declared[name] = Service{Requires: slices.Clone(s.Requires)}, true
	}
	for _, c := range gone {
		s := all.Services[c.Service]
		s.Requires = append(s.Requires, c.Requires...)
		all.Services[c.Service] = s
		out.services = append(out.services, c.Service)
	}
	slices.Sort(out.services)
	out.services, out.behind = slices.Compact(out.services), all.behind()
	return out
}

// before tells whether a stops before b. What is not declared, and not required
// by what is, goes before that.
func (f *farewell) before(a, b batuta.ServiceName) bool {
	if f.behind[a][b] || f.behind[b][a] {
		return f.behind[a][b] && !f.behind[b][a] // releases may have turned it round
	}
	return !f.declared[a] && f.declared[b]
}

// level is after how many others the service stops.
func (f *farewell) level(of batuta.ServiceName) int {
	if l, known := f.levels[of]; known {
		return l
	}
	f.levels[of] = 0 // should they be before each other in a circle
	l := 0
	for _, other := range f.services {
		if f.before(other, of) {
			l = max(l, f.level(other)+1)
		}
	}
	f.levels[of] = l
	return l
}
