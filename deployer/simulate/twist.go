package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// Make makes the scenario of a seed: the plain one, and in many of them ships
// that are left, single instances that do badly, ships that remove nothing, and
// deployers that are killed late.
func Make(seed uint64) Scenario {
	s := Plain(seed)
	d := dice{rand.New(rand.NewPCG(seed, 1))}
	known := lives{}
	for n := range s.Releases {
		r := &s.Releases[n]
		r.Services = slices.Clone(r.Services)
		for i := range r.Services {
			d.twist(&r.Services[i], known, n == 0)
		}
		if n > 0 && d.in(4) {
			r.Left = d.marks(s.Ships)
		}
		if d.in(4) {
			r.Mishaps = append([]Mishap{{At: 1, Kind: NoRemove}}, r.Mishaps...)
		}
		if n > 0 && d.in(6) {
			r.Mishaps = append(slices.Clone(r.Mishaps), Mishap{At: 1 + d.IntN(2), Kind: Late, Pick: d.IntN(2)})
		}
	}
	hand(&s, seed)
	return s
}

// hand has somebody change or pause containers in some of the scenarios.
func hand(s *Scenario, seed uint64) {
	d := dice{rand.New(rand.NewPCG(seed, 2))}
	for n := range s.Releases {
		for _, kind := range []Kind{HandAlter, HandPause} {
			if n > 0 && d.in(8) {
				r := &s.Releases[n]
				r.Mishaps = append(slices.Clone(r.Mishaps), Mishap{At: 1 + d.IntN(12), Kind: kind, Pick: d.IntN(6)})
			}
		}
	}
}

// lives tells how the versions of the services live, that are decided.
type lives map[string]Service

// twist has a version never become ready, or do badly in one of its instances
// only; then the service often tolerates it.
func (d dice) twist(s *Service, known lives, first bool) {
	version := fmt.Sprint(s.Name, s.Version)
	was, decided := known[version]
	if !decided {
		was = Service{Life: s.Life}
		if !first && d.in(8) {
			was.Life = shiptest.Behaviour{NeverReady: true}
		}
		if bad := was.Life.Exits || was.Life.NeverReady; bad && s.instances() > 1 && d.in(2) {
			was.Lame = batuta.InstanceName(fmt.Sprintf("%s-%d", s.Name, 1+d.IntN(s.instances())))
		}
		known[version] = was
	}
	if s.Life, s.Lame = was.Life, was.Lame; s.Lame != "" && d.in(2) {
		s.Update.Tolerate = deployer.Amount{N: 1}
	}
}

// marks has some of the ships be left, or take nothing more; one at least stays
// as it is.
func (d dice) marks(ships []deployer.ShipInfo) map[batuta.ShipName]Mark {
	out := map[batuta.ShipName]Mark{}
	stays := d.ship(ships)
	for _, ship := range ships {
		if ship.Name != stays && d.in(3) {
			out[ship.Name] = []Mark{Leaving, Cordoned}[d.IntN(2)]
		}
	}
	return out
}

// Mark is what a person has said of a ship.
type Mark string

// The marks.
const (
	Leaving  Mark = "leaving"
	Cordoned Mark = "cordoned"
)

// marked are the ships with their marks at a release.
func (s Scenario) marked(r Release) []deployer.ShipInfo {
	out := slices.Clone(s.Ships)
	for n := range out {
		mark := r.Left[out[n].Name]
		out[n].Cordoned, out[n].Leaving = mark != "", mark == Leaving
	}
	return out
}

// judgePlaces tells whether each counted service has its number of instances,
// none on a ship that is left if another takes it, and no new one on a ship that
// takes none.
func (w *world) judgePlaces(a *attempt) {
	for _, s := range a.release.Services {
		if len(s.Places) > 0 {
			continue
		}
		open := slices.ContainsFunc(w.scenario.Ships, func(ship deployer.ShipInfo) bool {
			return a.release.Left[ship.Name] == "" && (s.Zone == "" || ship.Labels["zone"] == s.Zone)
		})
		n := 0
		for _, i := range a.want.Instances {
			if i.Service != s.Name {
				continue
			}
			n++
			mark := a.release.Left[i.Ship]
			stays := slices.ContainsFunc(w.ours(), func(c shiptest.Sight) bool { return c.Instance == i.Name && c.Ship == i.Ship })
			if mark == Leaving && (open || !stays) || mark == Cordoned && !stays {
				w.violation("%s is to go to %s, which is %s", i.Name, i.Ship, mark)
			}
		}
		if n != s.Count {
			w.violation("%d instances of %s are to run, and it declares %d", n, s.Name, s.Count)
		}
	}
}
