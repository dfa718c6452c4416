package simulate

import (
	"context"
	"slices"
	"strings"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// attempt is one deployment being tried.
type attempt struct {
	who     string
	release Release
	want    deployer.Spec
	plan    deployer.Plan
	mishaps []Mishap // still to come
	cancel  context.CancelCauseFunc

	dead        bool
	interrupted bool // killed or suspended: it owes nothing, and the next one finishes it
	calls       int
	suffered    int // mishaps
	changed     int // calls that changed something
	before      map[string]shiptest.Sight
	served      map[batuta.InstanceName]bool // at its begin
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
	if c.Changes() {
		a.changed++
	}
	of, known := w.seen[c.ID]
	switch {
	case !known:
		return
	case of.Scope != own() && c.Changes():
		w.violation("%s of %s on %s, which is none of ours", c.Method, of.Name, c.Ship)
	case c.Method == "Start":
		w.judgeStart(a, of)
		delete(w.asked, c.ID)
	case c.Method == "Stop", c.Method == "Kill", c.Method == "Remove":
		w.judgeEnd(a, c, of)
		w.asked[c.ID] = true
	}
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
		if stays && slices.Contains(service.Requires, i.Service) && !serving[i.Name] && w.excused[i.Name] == "" {
			w.violation("%s starts, and %s, which it requires, is not ready", c.Instance, i.Name)
		}
	}
}

// messy tells that an attempt since the last one that went live was
// interrupted, or that one left something behind, so that what was before is
// not what was declared once.
func (w *world) messy() bool {
	return w.litter || slices.ContainsFunc(w.since, func(a *attempt) bool { return a.interrupted })
}

// judgeEnd tells whether a container may be ended: not if it leaves its
// instance without one that serves, unless the document says that it must be,
// and no more of them at once than the document says.
func (w *world) judgeEnd(a *attempt, c shiptest.Call, of shiptest.Sight) {
	serving := w.serving(c.ID)
	want := a.wanted(of.Instance)
	if !w.serves(of) || serving[of.Instance] || want == nil || !a.served[of.Instance] || w.excused[of.Instance] != "" {
		return
	}
	if a.change(of.Instance).StopFirst == "" && !(w.messy() && fixed(*want)) {
		w.violation("%s of %s takes %s away, and nothing else serves", c.Method, c.ID, of.Instance)
		return
	}
	if away := w.missing(a, want.Service, serving); len(away) > allowed(a) {
		w.violation("%s of %s leaves these of %s away at once, and %d may be: %s", c.Method, c.ID, want.Service, allowed(a), strings.Join(words(away), ", "))
	}
}

// missing are the instances of a service that were served, should be, and are
// not, though nothing but the deployer took them away.
func (w *world) missing(a *attempt, s batuta.ServiceName, serving map[batuta.InstanceName]bool) []batuta.InstanceName {
	var out []batuta.InstanceName
	for _, i := range a.want.Instances {
		if i.Service == s && a.served[i.Name] && !serving[i.Name] && w.excused[i.Name] == "" {
			out = append(out, i.Name)
		}
	}
	return out
}

// allowed is how many instances of a service may be away at once: one, or as
// many as have to make room for another's host port.
func allowed(a *attempt) int {
	n := 1
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
