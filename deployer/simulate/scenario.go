// Package simulate plays deployments on ships in memory, with everything that
// can go wrong: a Scenario is made of a seed, played in the time of a synctest
// bubble, and every single call to a ship is judged by what the deployer
// promises. A scenario that finds a fault is shrunk to the least that still
// does.
package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// Scenario is everything that happens, decided beforehand. The same scenario
// plays out the same way every time.
type Scenario struct {
	Seed      uint64
	Ships     []deployer.ShipInfo
	Strangers []Stranger // what others run on the ships
	Releases  []Release  // deployed one after the other; each is mended at once if it was interrupted
}

// Stranger is a container of another environment, under a name that may be
// ours too.
type Stranger struct {
	Ship     batuta.ShipName
	Instance batuta.InstanceName
	Host     int // the host port it holds; 0: none
}

// Release is what is to run, and what happens meanwhile.
type Release struct {
	Services []Service
	Mishaps  []Mishap
	Left     map[batuta.ShipName]Mark // ships that counted instances leave, or do not come to
}

// Service is one service of a release's document, and how its containers
// behave.
type Service struct {
	Name      batuta.ServiceName
	Requires  []batuta.ServiceName
	Count     int
	Zone      string  // that its counted instances are restricted to; empty: anywhere
	Places    []Place // named instances, instead of Count
	Published bool
	Host      int // fixed host port; 0: Docker picks one
	Checked   bool
	StopFirst bool
	Patience  int // stop_timeout, in seconds
	Version   int // changes with what its containers are made of
	Life      shiptest.Behaviour
	Lame      batuta.InstanceName // the only instance that lives so, and the others well; empty: all do
	Update    deployer.Update
	Hooks     []Hook
}

// Hook is a command of a service: before, after or on_failure.
type Hook struct {
	Moment string
	Fails  bool
}

// Place is a named instance and its ship.
type Place struct {
	Instance batuta.InstanceName
	Ship     batuta.ShipName
}

// healthy tells whether its containers become ready and stay, and its hooks
// succeed.
func (s Service) healthy() bool {
	return !slices.ContainsFunc(s.Hooks, func(h Hook) bool { return h.Fails }) && !s.Life.Exits && (!s.Life.NeverReady || !s.Checked)
}

// life is how the containers of an instance behave.
func (s Service) life(name batuta.InstanceName) shiptest.Behaviour {
	if s.Lame != "" && s.Lame != name {
		return shiptest.Behaviour{ReadyAfter: s.Life.ReadyAfter + 5*time.Second} // the one crashes before the others are ready
	}
	return s.Life
}

// doomed tells whether a change of an instance cannot go live: its containers
// do not become ready, or do not stay so for as long as they are watched.
func (s Service) doomed(name batuta.InstanceName) bool {
	if l := s.life(name); l.Exits && l.ExitAfter <= max(atOnce, s.Update.Watch) || s.Checked && l.NeverReady {
		return true
	}
	return slices.ContainsFunc(s.Hooks, func(h Hook) bool { return h.Fails && h.Moment != "on_failure" })
}

// String is the scenario for a person who wants to know why it went wrong.
func (s Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n", s.Seed)
	for _, ship := range s.Ships {
		fmt.Fprintf(&b, "ship %s, zone %s\n", ship.Name, ship.Labels["zone"])
	}
	for _, x := range s.Strangers {
		fmt.Fprintf(&b, "stranger %s on %s, host port %d\n", x.Instance, x.Ship, x.Host)
	}
	for n, r := range s.Releases {
		fmt.Fprintf(&b, "release %d\n%s", n+1, indent(r.document()))
		for _, service := range r.Services {
			if life := service.lifeText(); life != "" {
				fmt.Fprintf(&b, "  %s v%d %s\n", service.Name, service.Version, life)
			}
		}
		for _, ship := range slices.Sorted(maps.Keys(r.Left)) {
			fmt.Fprintf(&b, "  %s is %s\n", ship, r.Left[ship])
		}
		for _, m := range r.Mishaps {
			fmt.Fprintf(&b, "  %s\n", m)
		}
	}
	return b.String()
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  | " + line)
	}
	return b.String()
}

func (s Service) lifeText() string {
	l := s.Life
	var out []string
	say := func(is bool, format string, args ...any) {
		if is {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	say(l.ReadyAfter > 0, "is ready after %s", l.ReadyAfter)
	say(l.NeverReady, "is never ready")
	say(l.Exits, "crashes after %s", l.ExitAfter)
	say(s.Lame != "", "only %s does", s.Lame)
	say(l.IgnoresTERM, "ignores TERM")
	say(s.Update != deployer.Update{}, "is updated %+v", s.Update)
	say(len(s.Hooks) > 0, "has hooks %+v", s.Hooks)
	return strings.Join(out, ", ")
}

// calm is the release without anything bad: the last word of every scenario.
func (r Release) calm(version int) Release {
	out := Release{Services: slices.Clone(r.Services), Left: r.Left}
	for i := range out.Services {
		if s := &out.Services[i]; !s.healthy() {
			s.Version, s.Life, s.Lame, s.Hooks = version, shiptest.Behaviour{ReadyAfter: time.Second}, "", nil
		}
	}
	return out
}

// instances is how many the service has.
func (s Service) instances() int {
	if len(s.Places) > 0 {
		return len(s.Places)
	}
	return s.Count
}
