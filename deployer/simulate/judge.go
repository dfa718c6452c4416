package simulate

import (
	"context"
	"maps"
	"slices"
	"strings"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// attempt is one deployment being tried.
type attempt struct {
	who      string
	release  Release
	rival    bool // of another one, at the same time
	want     deployer.Spec
	plan     deployer.Plan
	mishaps  []Mishap        // still to come
	nopull   batuta.ShipName // that cannot pull; empty: none
	noremove bool            // no ship can remove what stands still
	cancel   context.CancelCauseFunc

	dead        bool
	interrupted bool // it owes nothing any more, and the next one finishes it
	killed      bool // or suspended
	over        bool // it has told a ship that it has ended
	calls       int
	disturbed   bool // somebody else changed the same meanwhile
	suffered    int  // mishaps
	stopped     int  // containers that did their work at its begin, and were told to end
	changed     int  // calls that changed something
	before      map[string]shiptest.Sight
	served      map[batuta.InstanceName]bool // at its begin
	excused     map[batuta.InstanceName]bool // of these, something took a container away that was there at its begin
	crashed     map[batuta.InstanceName]bool // the same, of any container
	started     map[batuta.ServiceName]bool  // a container of them, as declared
	hooked      map[batuta.ServiceName]bool  // an after hook of them
	paces       map[batuta.ServiceName]*pace
	owed        map[batuta.InstanceName]bool // what must serve again if it rolls back, beside what did at its begin
	images      map[berth]bool               // at its begin
	found, saw  looks                        // when it planned, and since it asked for the lease; nil: it has not yet
}

// wanted is an instance as the attempt declares it; nil if it does not.
func (a *attempt) wanted(name batuta.InstanceName) *deployer.Instance {
	n := slices.IndexFunc(a.want.Instances, func(i deployer.Instance) bool { return i.Name == name })
	if n < 0 {
		return nil
	}
	return &a.want.Instances[n]
}

func (a *attempt) change(name batuta.InstanceName) deployer.Change {
	n := slices.IndexFunc(a.plan.Changes, func(c deployer.Change) bool { return c.Instance == name && c.Action != deployer.Stop })
	if n < 0 {
		return deployer.Change{}
	}
	return a.plan.Changes[n]
}

func (a *attempt) service(name batuta.ServiceName) (Service, bool) {
	n := slices.IndexFunc(a.release.Services, func(s Service) bool { return s.Name == name })
	if n < 0 {
		return Service{}, false
	}
	return a.release.Services[n], true
}

// judge tells whether the call may be made, as the world is at this instant.
// The world's mutex is held.
func (w *world) judge(a *attempt, c shiptest.Call) {
	switch {
	case c.Method == "Lock" && a.saw == nil:
		a.saw = looks{}
	case c.Method == "End":
		a.over = true
	case c.Method == "Containers" && a.saw != nil:
		a.saw[c.Ship] = w.on(c.Ship)
	case c.Method == "Containers":
		a.found[c.Ship] = w.on(c.Ship)
	case c.Changes() && c.Method != "Pull":
		if a.changed++; a.changed == 1 && !failing(c) {
			w.judgeBegin(a)
		}
		w.judgeAlone(a, c)
	}
	of, known := w.seen[c.ID]
	switch {
	case !known:
		return
	case of.Scope != own() && c.Changes():
		w.violation("%s of %s on %s, which is none of ours", c.Method, of.Name, c.Ship)
	case c.Method == "Start":
		a.note(of)
		w.judgeStart(a, of)
		w.judgePace(a, of)
		w.judgeRevival(a, of)
		delete(w.asked, c.ID)
	case c.Method == "Tail":
		w.judgeWait(a, of)
	case c.Method == "Stop", c.Method == "Kill", c.Method == "Remove":
		w.judgeOrder(a, c, of)
		w.judgeSwitch(a, of)
		w.judgeEnd(a, c, of)
		if _, was := a.before[c.ID]; was && w.serves(of) {
			a.stopped++
		}
		w.asked[c.ID] = true
	}
}

// judgeAlone tells whether nobody else is changing the environment. One who
// loses the lease because of a mishap cannot know it at once.
func (w *world) judgeAlone(a *attempt, c shiptest.Call) {
	for _, b := range w.active {
		b.disturbed = b.disturbed || b != a
		if b != a && b.changed > 0 && !b.dead && !a.interrupted && a.suffered+b.suffered <= 1 {
			w.violation("%s of %s by %s, while %s changes the same", c.Method, c.Instance, a.who, b.who)
		}
	}
}

// looks is what of ours was on each ship when a deployer looked.
type looks map[batuta.ShipName][]deployer.Container

// failing tells whether the call is for a hook that runs when all is lost.
func failing(c shiptest.Call) bool {
	return c.Method == "Create" && strings.Contains(string(c.Instance), "-on_failure-")
}

// judgeBegin tells whether an attempt that is about to change something for the
// first time has looked at all its ships once more, and found what its plan was
// made for.
func (w *world) judgeBegin(a *attempt) {
	have := deployer.State{Unreachable: map[batuta.ShipName]string{}}
	for _, u := range a.plan.Unreachable {
		have.Unreachable[u.Ship] = u.Why
	}
	same := true
	for _, info := range w.scenario.Ships {
		if _, unreachable := have.Unreachable[info.Name]; unreachable {
			continue
		}
		saw, looked := a.saw[info.Name]
		if !looked {
			w.violation("%s changes something, and has not looked at %s since it has the lease", a.who, info.Name)
			return
		}
		same = same && slices.EqualFunc(saw, a.found[info.Name], func(x, y deployer.Container) bool { return x.ID == y.ID && x.State == y.State })
		have.Containers = append(have.Containers, saw...)
	}
	if !same && deployer.Diff(a.want, have).Hash() != a.plan.Hash() {
		w.violation("%s changes something, and knows that its plan does not fit any more", a.who)
	}
}

// on is what runs on a ship of ours, as a deployer sees it.
func (w *world) on(ship batuta.ShipName) []deployer.Container {
	out := []deployer.Container{}
	for _, c := range w.ours() {
		if c.Ship == ship {
			out = append(out, c.Container)
		}
	}
	return out
}

// note takes down what the attempt starts.
func (a *attempt) note(c shiptest.Sight) {
	if a.makes(c) {
		a.started[c.Service] = true
	}
	for _, s := range a.release.Services {
		if strings.HasPrefix(string(c.Instance), string(s.Name)+"-after-") {
			a.hooked[s.Name] = true
		}
	}
}

// judgeOrder tells whether the last of a service may be ended: not before those
// that require it, unless the plan says that it is away meanwhile.
func (w *world) judgeOrder(a *attempt, c shiptest.Call, of shiptest.Sight) {
	if !w.serves(of) || a.suffered > 0 || w.messy() || a.awayMeanwhile(of.Service) || a.crashedOf(of.Service) {
		return
	}
	added := !w.servedAtAll(a, of.Service) // what was there before did without it
	_, declared := a.service(of.Service)
	if !declared && a.portTaken(of) {
		return // one that starts cannot wait for those that require it to go
	}
	spare := declared && a.wanted(of.Instance) == nil // one of too many
	var requiring []string
	for id, x := range w.seen {
		_, stays := a.service(x.Service)
		switch s, _ := w.madeBy(a, x).service(x.Service); {
		case id == c.ID || !w.serves(x) || !stays || added && !a.makes(x):
		case x.Service == of.Service && !spare:
			return
		case spare && a.wanted(x.Instance) != nil: // one of the others has it
		case !declared && (a.wanted(x.Instance) == nil || a.toleratesOld(x)): // it goes, too, or is one that failed and was put back
		case slices.Contains(s.Requires, of.Service):
			requiring = append(requiring, string(x.Instance))
		}
	}
	if len(requiring) > 0 {
		slices.Sort(requiring)
		w.violation("%s of %s ends %s, and these still require it: %s", c.Method, of.Instance, of.Service, strings.Join(requiring, ", "))
	}
}

// toleratesOld tells whether the container is not as declared, and may stay so.
func (a *attempt) toleratesOld(x shiptest.Sight) bool {
	s, _ := a.service(x.Service)
	i := a.wanted(x.Instance)
	return i != nil && i.Config != x.Config && s.Update.Tolerate.Of(s.instances()) > 0
}

// awayMeanwhile tells whether the plan says that an instance of the service is
// away for a while.
func (a *attempt) awayMeanwhile(service batuta.ServiceName) bool {
	return slices.ContainsFunc(a.plan.Changes, func(c deployer.Change) bool { return c.Service == service && c.StopFirst != "" })
}

// crashedOf tells whether an instance of the service ended by itself.
func (a *attempt) crashedOf(service batuta.ServiceName) bool {
	return slices.ContainsFunc(a.want.Instances, func(i deployer.Instance) bool { return i.Service == service && a.crashed[i.Name] })
}

// servedAtAll tells whether any instance of a service did its work when the
// attempt began.
func (w *world) servedAtAll(a *attempt, service batuta.ServiceName) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(a.before)), func(c shiptest.Sight) bool { return c.Service == service && a.served[c.Instance] })
}

// madeBy is the attempt that a container is declared by: this one, or the one
// that was live before.
func (w *world) madeBy(a *attempt, c shiptest.Sight) *attempt {
	if i := a.wanted(c.Instance); w.previous == nil || i != nil && i.Config == c.Config {
		return a
	}
	return w.previous
}

// judgeStart tells whether everything that the container's service requires
// serves.
func (w *world) judgeStart(a *attempt, c shiptest.Sight) {
	by := a
	if i := a.wanted(c.Instance); i == nil || i.Config != c.Config {
		by = w.previous // it is put back
	}
	if by == nil || w.messy() {
		return
	}
	service, declared := by.service(c.Service)
	if _, stays := a.service(c.Service); !declared || !stays {
		return
	}
	serving := w.serving("")
	for _, i := range by.want.Instances {
		_, stays := a.service(i.Service)
		required := stays && slices.Contains(service.Requires, i.Service) && (by == a || a.wanted(i.Name) != nil && a.served[i.Name] && !a.awayMeanwhile(i.Service))
		if required && !serving[i.Name] && !a.crashed[i.Name] && !by.bears(i.Service, serving) {
			w.violation("%s starts, and %s, which it requires, is not ready", c.Instance, i.Name)
		}
	}
}

// bears tells whether the service may lack some of its instances, and does not
// lack all by the deployer's doing.
func (a *attempt) bears(service batuta.ServiceName, serving map[batuta.InstanceName]bool) bool {
	s, _ := a.service(service)
	return s.Update.Tolerate.Of(s.instances()) > 0 && (a.suffered > 0 || slices.ContainsFunc(a.want.Instances, func(i deployer.Instance) bool { return i.Service == service && serving[i.Name] }))
}

// messy tells that an attempt since the last one that went live was
// interrupted, so that what was before is not what was declared once.
func (w *world) messy() bool {
	return slices.ContainsFunc(w.since, func(a *attempt) bool { return a.interrupted })
}

// judgeEnd tells whether a container may be ended: not if it leaves its
// instance without one that serves, unless the document says that it must be,
// and no more of them at once than the document says.
func (w *world) judgeEnd(a *attempt, c shiptest.Call, of shiptest.Sight) {
	serving := w.serving(c.ID)
	want := a.wanted(of.Instance)
	if !w.serves(of) || serving[of.Instance] || want == nil || !a.served[of.Instance] || a.crashed[of.Instance] || a.late(of.Instance) {
		return
	}
	if !a.mustStop(*want, of) && (!w.messy() || !fixed(*want)) {
		w.violation("%s of %s takes %s away, and nothing else serves", c.Method, c.ID, of.Instance)
		return
	}
	if away := w.missing(a, want.Service, serving); len(away) > a.allowed(want.Service) {
		w.violation("%s of %s leaves these of %s away at once, and %d may be: %s", c.Method, c.ID, want.Service, a.allowed(want.Service), strings.Join(words(away), ", "))
	}
}

// mustStop tells whether the plan says of an instance that its old container
// must stop first, and has a reason: its service wants it so, or that one holds
// a host port that an instance on its ship is to have.
func (a *attempt) mustStop(want deployer.Instance, of shiptest.Sight) bool {
	s, _ := a.service(want.Service)
	switch {
	case a.change(want.Name).StopFirst == "":
		return false
	case want.StopFirst || s.Update.StopFirst:
		return true
	}
	return a.portTaken(of)
}

// portTaken tells whether an instance is to have a host port that the container
// holds.
func (a *attempt) portTaken(of shiptest.Sight) bool {
	return slices.ContainsFunc(a.want.Instances, func(i deployer.Instance) bool {
		return i.Ship == of.Ship && slices.ContainsFunc(i.Ports, func(p deployer.Port) bool {
			return p.Host != 0 && slices.ContainsFunc(of.Ports, func(q deployer.Port) bool { return p.Host == q.Host })
		})
	})
}

// late tells whether an instance that was served when a rival began was away
// before it held the lease, by the other's doing: its plan, which is made anew
// under the lease, knows of none.
func (a *attempt) late(name batuta.InstanceName) bool {
	c := a.change(name)
	return a.rival && c.Action == deployer.Start && len(c.Old) == 0
}

// missing are the instances of a service that were served, should be, and are
// not, though nothing but the deployer took them away.
func (w *world) missing(a *attempt, s batuta.ServiceName, serving map[batuta.InstanceName]bool) []batuta.InstanceName {
	var out []batuta.InstanceName
	for _, i := range a.want.Instances {
		if i.Service == s && a.served[i.Name] && !serving[i.Name] && !a.crashed[i.Name] {
			out = append(out, i.Name)
		}
	}
	return out
}

// allowed is how many instances of a service may be away at once: one, or as
// many as are updated at once, and those that have to make room for another's
// host port.
func (a *attempt) allowed(service batuta.ServiceName) int {
	s, _ := a.service(service)
	all := 0
	for _, i := range a.want.Instances {
		if i.Service == service {
			all++
		}
	}
	n := max(1, s.Update.AtOnce.Of(all), s.Update.Canary.Of(all))
	for _, c := range a.plan.Changes {
		if strings.Contains(c.StopFirst, " of ") {
			n++
		}
	}
	return n
}

func fixed(i deployer.Instance) bool {
	return slices.ContainsFunc(i.Ports, func(p deployer.Port) bool { return p.Host != 0 })
}
