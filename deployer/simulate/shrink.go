package simulate

import "slices"

// Shrink takes away from a scenario whatever it fails without.
func Shrink(s Scenario, fails func(Scenario) bool) Scenario {
	for smaller := true; smaller; {
		smaller = false
		for _, less := range s.lesser() {
			if fails(less) {
				s, smaller = less, true
				break
			}
		}
	}
	return s
}

// lesser are all scenarios that have one thing less.
func (s Scenario) lesser() []Scenario {
	var out []Scenario
	for n := range s.Releases {
		if len(s.Releases) > 1 {
			out = append(out, s.with(func(t *Scenario) { t.Releases = slices.Delete(t.Releases, n, n+1) }))
		}
	}
	for n := range s.Strangers {
		out = append(out, s.with(func(t *Scenario) { t.Strangers = slices.Delete(t.Strangers, n, n+1) }))
	}
	for n, r := range s.Releases {
		for m := range r.Mishaps {
			out = append(out, s.with(func(t *Scenario) {
				t.Releases[n].Mishaps = slices.Delete(slices.Clone(r.Mishaps), m, m+1)
			}))
		}
		for m := range r.Services {
			out = append(out, s.with(func(t *Scenario) { t.Releases[n].Services = without(r.Services, m) }))
		}
	}
	return out
}

// with is a copy with a change.
func (s Scenario) with(change func(*Scenario)) Scenario {
	s.Releases, s.Strangers = slices.Clone(s.Releases), slices.Clone(s.Strangers)
	change(&s)
	return s
}
