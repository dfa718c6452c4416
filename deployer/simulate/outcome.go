package simulate

import (
	"context"
	"slices"

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
	switch {
	case a.interrupted:
	case ctx.Err() == context.DeadlineExceeded:
		w.violation("%s has not ended after %s", a.who, patient)
	case outcome.Status == batuta.Live:
		w.judgeLive(a, err)
	default:
		w.judgePutBack(a, outcome, err)
	}
	if !a.interrupted {
		w.judgeVerdict(a, outcome)
	}
	a.mishaps = nil
	w.since = append(w.since, a)
	if outcome.Status == batuta.Live {
		w.previous, w.since = a, nil
	}
}

// judgeLive tells whether everything runs as declared, and nothing else.
func (w *world) judgeLive(a *attempt, err error) {
	if err != nil {
		w.violation("live, with an error: %v", err)
	}
	declared := map[string]bool{}
	for _, i := range a.want.Instances {
		n := 0
		for _, c := range w.ours() {
			if c.Instance == i.Name && c.Ship == i.Ship && c.Config == i.Config {
				declared[c.ID] = true
				if w.serves(c) {
					n++
				}
			}
		}
		if n != 1 && w.excused[i.Name] == "" {
			w.violation("live, and %d containers of %s serve", n, i.Name)
		}
	}
	w.litter = false
	for _, c := range w.ours() {
		w.litter = w.litter || !declared[c.ID]
		if !declared[c.ID] && a.suffered == 0 {
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
		if a.suffered == 0 && len(w.excused) == 0 && len(w.since) == 0 {
			w.violation("nothing prevented that all is put back: %v", outcome.Undone)
		}
		return
	}
	serving := w.serving("")
	for name := range a.served {
		if !serving[name] && w.excused[name] == "" {
			w.violation("%s, and %s served before and does not now", outcome.Status, name)
		}
	}
	for _, c := range w.ours() {
		if _, was := a.before[c.ID]; !was {
			w.violation("%s, and the new container %s of %s on %s is left, %s", outcome.Status, c.ID, c.Instance, c.Ship, c.State)
		}
	}
	for id, c := range a.before {
		if now, there := w.seen[id]; w.wasWhole(a, c) && !(there && w.serves(now)) {
			w.violation("%s, and %s (%s) on %s is not back", outcome.Status, c.Instance, id, c.Ship)
		}
	}
}

// wasWhole tells whether a container did its work when the attempt began, not
// left by one that was interrupted, and nothing but the deployer took it away.
func (w *world) wasWhole(a *attempt, c shiptest.Sight) bool {
	return c.Scope == own() && c.Serves && !w.messy() && w.excused[c.Instance] == "" && a.served[c.Instance]
}

// judgeVerdict tells whether the attempt ended as it had to: a good release
// under good conditions goes live, and a bad one never does.
func (w *world) judgeVerdict(a *attempt, outcome deployer.Outcome) {
	good := a.suffered == 0 && len(w.excused) == 0 && len(a.plan.Clashes) == 0 && !slices.ContainsFunc(a.release.Services, func(s Service) bool { return !s.healthy() })
	if good && outcome.Status != batuta.Live {
		w.violation("%s, though all is well", outcome.Status)
	}
	for _, c := range a.plan.Changes {
		s, _ := a.service(c.Service)
		if outcome.Status == batuta.Live && s.doomed() && c.Action != deployer.Keep && c.Action != deployer.Stop {
			w.violation("live, and %s cannot become ready", c.Instance)
		}
	}
}
