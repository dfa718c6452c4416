package deployer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"batuta"
)

// Diff compares what is declared with what runs. It is pure and stable: the
// same input gives the same plan.
func Diff(want Spec, have State) Plan {
	have = have.sorted()
	d := differ{
		want: want, have: have, declared: make(map[batuta.InstanceName]bool, len(want.Instances)),
		of: make(map[batuta.InstanceName][]*Container, len(want.Instances)), holders: map[berth][]holder{}, claimed: want.claimed(),
	}
	plan := Plan{Scope: want.Scope, Release: want.Release, want: want}
	for n := range have.Containers {
		c := &have.Containers[n]
		if _, hook := c.hook(); hook {
			plan.interrupted = append(plan.interrupted, *c)
			plan.Interrupted = append(plan.Interrupted, c.ID)
			continue
		}
		d.of[c.Instance] = append(d.of[c.Instance], c)
		d.hold(c)
	}
	for n := range want.Instances {
		d.declared[want.Instances[n].Name] = true
	}
	plan.Unreachable = d.unreachable()
	plan.Changes = append(d.wanted(), d.orphans()...)
	plan.Services = d.special(plan)
	plan.Clashes = d.clashes(plan.Changes)
	return plan
}

type differ struct {
	want     Spec
	have     State
	of       map[batuta.InstanceName][]*Container
	holders  map[berth][]holder
	claimed  map[batuta.ShipName]bool // ships on which a fixed host port is declared
	declared map[batuta.InstanceName]bool
}

// berth is a host port of a ship, on any of its addresses.
type berth struct {
	ship batuta.ShipName
	port int
}

// holder is a container that holds a host port.
type holder struct {
	Container
	at Port
}

// claimed are the ships on which instances want fixed host ports.
func (s Spec) claimed() map[batuta.ShipName]bool {
	out := map[batuta.ShipName]bool{}
	for n := range s.Instances {
		if slices.ContainsFunc(s.Instances[n].onHost(), func(p Port) bool { return p.Host != 0 }) {
			out[s.Instances[n].Ship] = true
		}
	}
	return out
}

// hold notes the host ports that a container holds, where it matters.
func (d differ) hold(c *Container) {
	if !d.claimed[c.Ship] || !c.alive() {
		return
	}
	for _, p := range c.held() {
		at := berth{c.Ship, p.Host}
		d.holders[at] = append(d.holders[at], holder{*c, p})
	}
}

func (d differ) unreachable() []Unreachable {
	if len(d.have.Unreachable) == 0 {
		return nil
	}
	needed := map[batuta.ShipName][]batuta.InstanceName{}
	for n := range d.want.Instances {
		i := &d.want.Instances[n]
		needed[i.Ship] = append(needed[i.Ship], i.Name)
	}
	var out []Unreachable
	for _, ship := range slices.Sorted(maps.Keys(d.have.Unreachable)) {
		out = append(out, Unreachable{Ship: ship, Why: d.have.Unreachable[ship], Needed: needed[ship], hasty: d.have.hasty[ship]})
	}
	return out
}

// special gives the policies and hooks of the services that the plan changes.
func (d differ) special(p Plan) map[batuta.ServiceName]Service {
	out := map[batuta.ServiceName]Service{}
	add := func(name batuta.ServiceName) {
		if s := d.want.Services[name]; s.special() {
			out[name] = Service{Update: s.Update, Hooks: s.Hooks}
		}
	}
	for _, c := range p.Changes {
		if c.Action != Keep && c.Action != Stop {
			add(c.Service)
		}
	}
	for _, c := range p.interrupted {
		m, _ := c.hook()
		add(m.Service)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// wanted gives the changes of all declared instances on ships that answer, in
// the order in which they happen: within a wave service by service, within a
// service those that start beside the old first, then ship by ship those that
// cannot.
func (d differ) wanted() []Change {
	wave := d.want.waveOf()
	out := make([]Change, 0, len(d.want.Instances))
	for i := range d.want.Instances {
		want := &d.want.Instances[i]
		if _, gone := d.have.Unreachable[want.Ship]; gone {
			continue
		}
		c := d.change(want)
		c.Wave = wave[want.Service]
		out = append(out, c)
	}
	d.blocks(out)
	d.shared(out)
	return arranged(out, func(a, b *Change) int {
		order := cmp.Or(cmp.Compare(a.Wave, b.Wave), cmp.Compare(a.Service, b.Service), compareBool(a.StopFirst != "", b.StopFirst != ""))
		if order == 0 && a.StopFirst != "" {
			order = cmp.Compare(a.Ship, b.Ship)
		}
		return order
	})
}

// arranged gives the list in an order, and what is equal as it was. Mostly it
// is in that order; or else its pointers are sorted, because the entries are
// large.
func arranged[T any](list []T, compare func(a, b *T) int) []T {
	sorted := true
	at := make([]*T, len(list))
	for n := range list {
		at[n] = &list[n]
		sorted = sorted && (n == 0 || compare(at[n-1], at[n]) <= 0)
	}
	if sorted {
		return list
	}
	slices.SortStableFunc(at, compare)
	out := make([]T, len(list))
	for n, t := range at {
		out[n] = *t
	}
	return out
}

// change decides about one instance, host ports aside.
func (d differ) change(want *Instance) Change {
	c := Change{
		Service: want.Service, Instance: want.Name, Ship: want.Ship,
		Image: want.Image.String(), Config: want.Config, want: want,
	}
	c.current = pick(d.of[want.Name], want)
	for _, k := range d.of[want.Name] {
		adopted := !k.ran() && matches(*k, want) // Create takes it
		if (c.current == nil || k.ID != c.current.ID) && !adopted {
			c.old = append(c.old, *k)
			c.Old = append(c.Old, k.ID)
		}
	}
	if c.current != nil {
		c.Container = c.current.ID
	}
	c.Action, c.Reasons = c.decide()
	if (want.StopFirst || d.want.Services[want.Service].Update.StopFirst) && slices.ContainsFunc(c.old, Container.alive) {
		c.StopFirst = "stop_first"
	}
	return c
}

// pick finds the container that is the instance as declared, whether it runs
// or was stopped; nil if there is none.
func pick(of []*Container, want *Instance) *Container {
	var best *Container
	for _, c := range of {
		if c.ran() && matches(*c, want) && (best == nil || c.running() && !best.running()) {
			best = c
		}
	}
	return best
}

// matches tells whether a container is as declared, and as it was made.
func matches(c Container, want *Instance) bool {
	return c.Config == want.Config && c.Ship == want.Ship && len(c.Altered) == 0
}

const notRunning = "not running: "

func (c *Change) decide() (Action, []string) {
	switch {
	case c.current != nil && len(c.old) == 0 && c.current.running():
		return Keep, nil
	case c.current != nil && len(c.old) == 0:
		return Restart, []string{notRunning + c.current.condition()}
	case c.current != nil && c.current.running():
		return Replace, []string{"it runs as declared; its predecessor is still there"}
	case c.current != nil:
		return Replace, append([]string{"goes back to its stopped container"}, c.reasons()...)
	case len(c.old) > 0:
		return Replace, c.reasons()
	}
	return Start, []string{"not there yet"}
}

// reasons says why the container before is not what is declared.
func (c *Change) reasons() []string {
	before := c.before()
	var out []string
	was, known := recall(*before)
	if now, ok := recall(Container{Spec: c.want.Spec}); ok && known {
		out = was.changes(now)
	}
	if len(before.Altered) > 0 {
		out = append(out, "changed by hand: "+strings.Join(before.Altered, ", "))
	}
	if peers := c.want.peers(); len(out) == 0 && len(peers) > 0 && before.Config != c.want.Config {
		out = []string{fmt.Sprintf("%s changes, which it needs", peers[0])}
	} else if len(out) == 0 && before.Config != c.want.Config {
		out = []string{"configuration changed"}
	}
	if !before.running() {
		out = append(out, notRunning+before.condition())
	}
	return out
}

// before is the container that did the instance's work so far: of the old ones
// the last started that lives, or else that ever ran, or else any.
func (c *Change) before() *Container {
	if len(c.old) == 0 {
		return nil
	}
	best := slices.MaxFunc(c.old, func(a, b Container) int {
		return cmp.Or(compareBool(a.alive(), b.alive()), compareBool(a.ran(), b.ran()), a.Started.Compare(b.Started), a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	return &best
}

// blocks finds who holds the host ports that the changes need, and makes those
// changes stop them first. What is kept is never stopped.
func (d differ) blocks(changes []Change) {
	if len(d.holders) == 0 {
		return
	}
	kept := map[string]bool{}
	for _, c := range changes {
		if c.current != nil && c.current.running() {
			kept[c.current.ID] = true
		}
	}
	at := places(changes)
	for i := range changes {
		c := &changes[i]
		if kept[c.Container] {
			continue
		}
		for _, p := range c.want.onHost() {
			for _, h := range d.holders[berth{c.Ship, p.Host}] {
				if p.clashes(h.at) && !kept[h.ID] && h.ID != c.Container {
					c.blockedBy(h.Container, p)
					yield(changes, at, c, h.Container, p)
				}
			}
		}
	}
}

// blockedBy notes that a container has to stop before the new one starts.
func (c *Change) blockedBy(k Container, p Port) {
	if slices.ContainsFunc(c.blocks, func(b Container) bool { return b.ID == k.ID }) {
		return
	}
	c.blocks = append(c.blocks, k)
	if c.StopFirst = fmt.Sprintf("fixed host port %d", p.Host); k.Instance != c.Instance {
		c.StopFirst += " of " + string(k.Instance)
	}
}

// shared notes which instances have no network from when another is replaced
// until they are, too: theirs is that one's.
func (d differ) shared(changes []Change) {
	var at map[batuta.InstanceName]int
	for n := range changes {
		c := &changes[n]
		peer, shares := strings.CutPrefix(c.want.NetworkMode, sharedNet)
		if !shares || c.Action != Replace || c.StopFirst != "" {
			continue
		}
		if at == nil {
			at = places(changes)
		}
		if p, there := at[batuta.InstanceName(peer)]; there && changes[p].Action == Replace {
			c.StopFirst = "it has the network of " + peer
		}
	}
}

// places tells where the change of each instance is.
func places(changes []Change) map[batuta.InstanceName]int {
	at := make(map[batuta.InstanceName]int, len(changes))
	for n := range changes {
		at[changes[n].Instance] = n
	}
	return at
}

// yield notes that a container goes to make room for a change of an earlier
// wave, before its own successor starts.
func yield(changes []Change, at map[batuta.InstanceName]int, to *Change, k Container, p Port) {
	if k.Instance == to.Instance {
		return
	}
	n, there := at[k.Instance]
	if !there || changes[n].StopFirst != "" || changes[n].Wave <= to.Wave {
		return
	}
	if slices.ContainsFunc(changes[n].old, func(o Container) bool { return o.ID == k.ID && o.alive() }) {
		changes[n].StopFirst = fmt.Sprintf("host port %d goes to %s", p.Host, to.Instance)
	}
}
