package deployer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"batuta"
)

// Taken is a host port of a ship that is held.
type Taken struct {
	Port  Port   // Host, Address and Protocol; the container's own is not told
	By    string // Docker's name for the container that it is published for; empty: a process listens there
	Scope Scope  // whose container it is; zero if it is none of ours
}

// Clash is a host port that an instance needs and that a container of another
// scope or a process of the ship holds. The plan may not stop that one, and so
// cannot be applied.
type Clash struct {
	Ship     batuta.ShipName     `json:"ship"`
	Port     int                 `json:"port"`
	By       string              `json:"by"` // Docker's name for the container; empty: a process
	Instance batuta.InstanceName `json:"instance"`
}

func (c Clash) String() string {
	return fmt.Sprintf("host port %d of %s, which %s needs, is held by %s", c.Port, c.Ship, c.Instance, cmp.Or(c.By, "a process there"))
}

// Compare is Diff with what only the ships know: one that is needed and was
// given little time is asked again, and those on which a fixed host port is to
// be claimed are asked who holds their ports.
func (f *Fleet) Compare(ctx context.Context, want Spec, have State) Plan {
	have = f.insist(ctx, want, have)
	plan := Diff(want, have)
	claiming := plan.claiming()
	if len(claiming) == 0 {
		return plan
	}
	plan = Diff(want, f.askForPorts(ctx, have, claiming))
	if slices.ContainsFunc(plan.Clashes, func(c Clash) bool { return c.By == "" }) && pause(ctx, unpublishing) == nil {
		plan = Diff(want, f.askForPorts(ctx, have, claiming)) // it may have been Docker, for a container that was ending
	}
	return plan
}

const (
	// unpublishing is how long an Engine may listen for a container that it
	// does not list any more, or does not list yet.
	unpublishing = 300 * time.Millisecond
	// listenTimeout is how long a ship may take to tell of its processes. It
	// may have to be given a probe container first; then the next plan knows.
	listenTimeout = 3 * time.Second
)

// askForPorts adds who holds the host ports of ships.
func (f *Fleet) askForPorts(ctx context.Context, have State, ships []batuta.ShipName) State {
	have.Unreachable = maps.Clone(have.Unreachable)
	if have.Unreachable == nil {
		have.Unreachable = map[batuta.ShipName]string{}
	}
	have.Taken = map[batuta.ShipName][]Taken{}
	var mu sync.Mutex
	each(ships, func(name batuta.ShipName) {
		listening := f.listening(ctx, name)
		taken, err := ask(ctx, f, name, f.options.Ask, func(ctx context.Context, ship Ship) ([]Taken, error) { return ship.Taken(ctx) })
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			have.Unreachable[name] = err.Error()
		}
		have.Taken[name] = append(taken, byProcesses(listening, taken)...)
	})
	return have
}

// listening are the ports on which a ship's processes listen, if it says so.
func (f *Fleet) listening(ctx context.Context, name batuta.ShipName) []Port {
	ctx, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	ports, err := f.ships[name].Listens(ctx)
	if err != nil {
		return nil // then it is found when the container starts
	}
	return ports
}

// byProcesses are the ports on which somebody listens but Docker for a
// container.
func byProcesses(listening []Port, taken []Taken) []Taken {
	var out []Taken
	for _, p := range listening {
		if !slices.ContainsFunc(taken, func(t Taken) bool { return t.Port.Host == p.Host && t.Port.Protocol == p.Protocol }) {
			out = append(out, Taken{Port: p})
		}
	}
	return out
}

// claims are the fixed host ports that the change's new container holds.
func (c Change) claims() []Port {
	if c.want == nil || c.current != nil && c.current.running() || !slices.ContainsFunc(c.want.onHost(), fixed) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.want.onHost()), func(p Port) bool { return !fixed(p) })
}

func fixed(p Port) bool { return p.Host != 0 }

// claiming are the ships on which the plan claims host ports, sorted.
func (p Plan) claiming() []batuta.ShipName {
	var out []batuta.ShipName
	for _, c := range p.Changes {
		if len(c.claims()) > 0 {
			out = append(out, c.Ship)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// clashes finds the host ports that the changes claim and others hold. Those
// of the scope itself are no matter: what holds such a port is stopped first.
func (d differ) clashes(changes []Change) []Clash {
	var out []Clash
	for _, c := range changes {
		for _, p := range c.claims() {
			for _, t := range d.have.Taken[c.Ship] {
				if t.Scope != d.want.Scope && p.clashes(t.Port) && !d.ownProcess(c.Ship, t) {
					out = append(out, Clash{Ship: c.Ship, Port: p.Host, By: t.By, Instance: c.Instance})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Clash) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}

// ownProcess tells whether what listens may be a process of one of the scope's
// containers that have the ship's network.
func (d differ) ownProcess(ship batuta.ShipName, t Taken) bool {
	return t.By == "" && slices.ContainsFunc(d.have.Containers, func(c Container) bool {
		spec, _ := recall(c)
		return c.Ship == ship && c.alive() && spec.NetworkMode == hostNet
	})
}
