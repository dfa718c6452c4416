package simulate

import (
	"context"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// ended judges how an attempt ended against what is on the ships now.
func (w *world) ended(ctx context.Context, a *attempt, outcome deployer.Outcome, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	w.note("%s ends: %s", a.who, outcome.Status)
	w.note("because: %v", err)
	if ctx.Err() == context.DeadlineExceeded {
		w.violation("%s has not ended after %s", a.who, patient)
	}
	w.verdict(a, outcome, err)
	w.judgeImages(a, outcome)
	w.active = slices.DeleteFunc(w.active, func(b *attempt) bool { return a == b })
	a.mishaps = nil
	if a.suffered > 0 || a.interrupted {
		w.trouble = time.Now()
	}
	switch {
	case outcome.Status == batuta.Live:
		w.previous, w.since = a, nil
	case !a.rival || a.changed > 0:
		w.since = append(w.since, a)
	}
}

func (w *world) verdict(a *attempt, outcome deployer.Outcome, err error) {
	switch {
	case a.interrupted:
		return
	case outcome.Status == batuta.Live && a.changed == 0 && (a.disturbed || len(w.active) > 1):
		return // a plan with nothing to do takes no lease, and tells of a moment
	case outcome.Status == batuta.Live:
		w.judgeLive(a, outcome, err)
	case a.rival || a.disturbed:
		a.interrupted = a.changed > 0 // what was before is nobody's
		return
	case outcome.Status == batuta.Failed && len(outcome.Left) > 0:
		a.interrupted = true // by its policy, for a person to look at
		if a.suffered == 0 && !slices.ContainsFunc(a.release.Services, func(s Service) bool { return s.Update.Pause }) {
			w.violation("failed, and left as it is, which no policy says: %v", err)
		}
		return
	default:
		w.judgePutBack(a, outcome, err)
	}
	w.judgeStatus(a, outcome, err)
}

// tolerated tells whether the deployer says of an instance that it failed and
// was put back.
func tolerated(o deployer.Outcome, i batuta.InstanceName) bool {
	return slices.ContainsFunc(o.Failed, func(text string) bool { return strings.Contains(text, " "+string(i)+" on ") })
}

// judgeLive tells whether everything runs as declared, and nothing else.
func (w *world) judgeLive(a *attempt, outcome deployer.Outcome, err error) {
	if err != nil {
		w.violation("live, with an error: %v", err)
	}
	spared := map[batuta.ServiceName]int{}
	declared := map[string]bool{}
	for _, i := range a.want.Instances {
		n, old, was := 0, 0, false
		for _, c := range w.ours() {
			switch {
			case c.Instance == i.Name && c.Ship == i.Ship && c.Config == i.Config:
				declared[c.ID] = true
				was = was || alive(a.before[c.ID])
				if w.serves(c) {
					n++
				}
			case c.Instance == i.Name && tolerated(outcome, i.Name):
				declared[c.ID] = true
				if w.serves(c) {
					old++
				}
			}
		}
		if tolerated(outcome, i.Name) {
			spared[i.Service]++
			if was {
				n, old = 0, n+old // it ran before, and is only not known to do well
			}
			if n > 0 || old == 0 && a.served[i.Name] && !a.excused[i.Name] {
				w.violation("live without %s: %d new and %d old containers of it serve", i.Name, n, old)
			}
		} else if n != 1 && !a.crashed[i.Name] {
			w.violation("live, and %d containers of %s serve", n, i.Name)
		}
	}
	for name, n := range spared {
		if s, _ := a.service(name); n > s.Update.Tolerate.Of(s.instances()) {
			w.violation("live, and %d of %s failed", n, name)
		}
	}
	w.judgeLeft(a, declared)
	w.judgeHooks(a)
	w.judgeWatch(a, outcome)
}

// judgeHooks tells whether the after hooks of what was started have run, if
// not in this attempt, then in the one that it finishes.
func (w *world) judgeHooks(a *attempt) {
	tried := []*attempt{a}
	if n := len(w.since); n > 0 && a.who == w.since[n-1].who+again {
		tried = append(tried, w.since[n-1])
	}
	for _, s := range a.release.Services {
		due := slices.ContainsFunc(s.Hooks, func(h Hook) bool { return h.Moment == "after" })
		if due && slices.ContainsFunc(tried, func(t *attempt) bool { return t.started[s.Name] }) && !slices.ContainsFunc(tried, func(t *attempt) bool { return t.hooked[s.Name] }) {
			w.violation("live, and the after hooks of %s never ran", s.Name)
		}
	}
}

// judgeLeft wants nothing left but what is declared, unless something went
// wrong.
func (w *world) judgeLeft(a *attempt, declared map[string]bool) {
	for _, c := range w.ours() {
		silent := slices.ContainsFunc(a.plan.Unreachable, func(u deployer.Unreachable) bool { return u.Ship == c.Ship })
		if !declared[c.ID] && !silent && a.suffered == 0 {
			w.violation("live, and %s (%s) on %s is left, %s", c.Instance, c.ID, c.Ship, c.State)
		}
	}
}

// judgePutBack tells whether everything is as it was before the attempt. If
// the deployer says that it could not be put back, something else must have
// gone wrong.
func (w *world) judgePutBack(a *attempt, outcome deployer.Outcome, err error) {
	if err == nil {
		w.violation("%s, without a reason", outcome.Status)
	}
	if outcome.Undone != nil {
		a.interrupted = true // what is left is for the next one
		if outcome.Status != batuta.Failed {
			w.violation("%s, and not all is put back: %v", outcome.Status, outcome.Undone)
		}
		if a.suffered == 0 && len(a.excused) == 0 && !w.messy() && w.previousWhole(a) {
			w.violation("nothing prevented that all is put back: %v", outcome.Undone)
		}
		return
	}
	w.judgeOwed(a, outcome)
	serving := w.serving("")
	for name := range a.served {
		if !serving[name] && !a.excused[name] {
			w.violation("%s, and %s served before and does not now", outcome.Status, name)
		}
	}
	for _, c := range w.ours() {
		if _, was := a.before[c.ID]; !was && (instance(c) || a.suffered == 0) {
			w.violation("%s, and the new container %s of %s on %s is left, %s", outcome.Status, c.ID, c.Instance, c.Ship, c.State)
		}
	}
	for id, c := range a.before {
		if now, there := w.seen[id]; w.wasWhole(a, c) && (!there || !w.serves(now)) {
			w.violation("%s, and %s (%s) on %s is not back", outcome.Status, c.Instance, id, c.Ship)
		}
	}
}

// previousWhole tells whether all that was declared before did its work when the
// attempt began.
func (w *world) previousWhole(a *attempt) bool {
	return w.previous == nil || !slices.ContainsFunc(w.previous.want.Instances, func(i deployer.Instance) bool { return !a.served[i.Name] })
}

// wasWhole tells whether a container did its work when the attempt began, not
// left by one that was interrupted, and nothing but the deployer took it away.
func (w *world) wasWhole(a *attempt, c shiptest.Sight) bool {
	return c.Serves && instance(c) && !w.messy() && !a.excused[c.Instance] && a.served[c.Instance]
}

// judgeStatus tells whether the attempt ended as it had to: a good release
// under good conditions goes live, and a bad one never does. A stranger that
// Docker starts again may have taken a host port since the plan was made, and
// what crashes again and again may not be as it was then.
func (w *world) judgeStatus(a *attempt, outcome deployer.Outcome, err error) {
	taken := err != nil && strings.Contains(err.Error(), "port is already allocated")
	stale := err != nil && strings.Contains(err.Error(), "no longer what the plan was made for") && w.unsteady()
	good := !taken && !stale && a.suffered == 0 && !w.crashedBeside(a) && len(a.plan.Clashes) == 0 && !slices.ContainsFunc(a.release.Services, func(s Service) bool { return !s.healthy() && !a.bearable(s) })
	if good && outcome.Status != batuta.Live {
		w.violation("%s, though all is well", outcome.Status)
	}
	for _, c := range a.plan.Changes {
		s, _ := a.service(c.Service)
		if outcome.Status == batuta.Live && s.doomed(c.Instance) && !tolerated(outcome, c.Instance) && (c.Action == deployer.Start || c.Action == deployer.Replace && c.Container == "") {
			w.violation("live, and %s cannot become ready", c.Instance)
		}
	}
}

// unsteady tells whether a container of ours crashes again and again.
func (w *world) unsteady() bool {
	return slices.ContainsFunc(w.ours(), func(c shiptest.Sight) bool { return c.Restarts > 0 })
}

// crashedBeside tells whether anything crashed but the one instance of a service
// that is known to.
func (w *world) crashedBeside(a *attempt) bool {
	for name := range a.crashed {
		i := a.wanted(name)
		if i == nil {
			return true
		}
		if s, _ := a.service(i.Service); s.Lame != name {
			return true
		}
	}
	return false
}

// bearable tells whether only one instance of a service does badly, which it
// tolerates, and what ran before can be put back.
func (a *attempt) bearable(s Service) bool {
	well := s
	well.Life = shiptest.Behaviour{}
	back := a.served[s.Lame] || len(a.change(s.Lame).Old) == 0
	for _, c := range a.before {
		if i := a.wanted(c.Instance); c.Instance == s.Lame && i != nil && i.Ship != c.Ship && a.portTaken(c) {
			back = false
		}
	}
	return well.healthy() && s.Update.Canary == (deployer.Amount{}) && s.Lame != "" && s.instances() > 1 && s.Update.Tolerate.Of(s.instances()) > 0 && back
}
