package simulate

import (
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

const (
	canaryWatch = 10 * time.Second       // at least so long is a canary looked at
	oneBatch    = 100 * time.Millisecond // containers of one batch start within so long, and none is ready sooner
	noticed     = 50 * time.Millisecond  // after so long a crash may have been seen
)

// pace is how an attempt went about a service so far.
type pace struct {
	ids         []string // the containers that it made and started, in their order
	started     map[string]time.Time
	first, last time.Time
	apart       bool // the last one's old had to stop first
}

// makes tells whether the container is what the attempt declares, and was made
// by it.
func (a *attempt) makes(c shiptest.Sight) bool {
	i := a.wanted(c.Instance)
	was, there := a.before[c.ID]
	return i != nil && i.Config == c.Config && i.Ship == c.Ship && (!there || was.State == "created")
}

// judgePace tells whether a new container may start now by its service's
// policy: not before the canary was watched, no more at once than it says, and
// with a pause between batches.
func (w *world) judgePace(a *attempt, c shiptest.Sight) {
	s, declared := a.service(c.Service)
	if !declared || !a.makes(c) {
		return
	}
	p := a.paces[c.Service]
	if p == nil {
		p = &pace{first: time.Now(), started: map[string]time.Time{}}
		a.paces[c.Service] = p
	}
	all, apart := s.instances(), a.change(c.Instance).StopFirst != ""
	canary, atOnce := s.Update.Canary.Of(all), s.Update.AtOnce.Of(all)
	least := max(s.Update.Watch, canaryWatch)
	if n := len(p.ids); canary > 0 && n >= canary && s.Update.Tolerate == (deployer.Amount{}) && a.anew(c.Service) && time.Since(p.first) < least {
		w.violation("%s starts %s after the canary of %s, which is to be watched for %s", c.Instance, time.Since(p.first), c.Service, least)
	}
	if busy := w.underWay(a, p); atOnce > 0 && len(busy)+1 > max(atOnce, canary) {
		w.violation("%s starts, and %d of %s may be replaced at once: %s are under way", c.Instance, max(atOnce, canary), c.Service, strings.Join(words(busy), ", "))
	}
	if gap := time.Since(p.last); len(p.ids) > 0 && !apart && !p.apart && gap > oneBatch && gap < s.Update.Wait {
		w.violation("%s starts %s after the batch before it, and %s are to pass", c.Instance, gap, s.Update.Wait)
	}
	p.started[c.ID] = time.Now()
	p.ids, p.last, p.apart = append(p.ids, c.ID), time.Now(), apart
}

// judgeWait tells whether a container that crashed before it was ever ready was
// given up at once.
func (w *world) judgeWait(a *attempt, c shiptest.Sight) {
	p := a.paces[c.Service]
	if p == nil || a.suffered > 0 || !slices.Contains(p.ids, c.ID) {
		return
	}
	s, _ := a.service(c.Service)
	life, ready := s.life(c.Instance), time.Second
	if s.Checked {
		ready = s.life(c.Instance).ReadyAfter
	}
	if late := time.Since(p.started[c.ID]) - life.ExitAfter; life.Exits && life.ExitAfter < ready && late > time.Second {
		w.violation("%s (%s) crashed before it was ready, and was waited for, for %s more", c.Instance, c.ID, late)
	}
}

// anew tells whether all that changes of a service is made anew, rather than
// found half done.
func (a *attempt) anew(service batuta.ServiceName) bool {
	return !slices.ContainsFunc(a.plan.Changes, func(c deployer.Change) bool {
		return c.Service == service && c.Action != deployer.Keep && c.Action != deployer.Stop && c.Container != ""
	})
}

// underWay are the instances whose new container is not ready yet, or whose old
// one was not told to end, and nothing else is the reason.
func (w *world) underWay(a *attempt, p *pace) []batuta.InstanceName {
	var out []batuta.InstanceName
	for _, id := range p.ids {
		c, there := w.seen[id]
		if there && !w.asked[id] && !a.crashed[c.Instance] && (!w.serves(c) || w.servedBeside(a, c)) {
			out = append(out, c.Instance)
		}
	}
	return out
}

// servedBeside tells whether the container's instance is served by another one,
// too, on a ship that the attempt knows to answer.
func (w *world) servedBeside(a *attempt, c shiptest.Sight) bool {
	for id, x := range w.seen {
		silent := slices.ContainsFunc(a.plan.Unreachable, func(u deployer.Unreachable) bool { return u.Ship == x.Ship })
		if id != c.ID && x.Instance == c.Instance && w.serves(x) && !silent {
			return true
		}
	}
	return false
}

// judgeSwitch tells whether an old container may be ended, as far as those that
// take over are concerned: its own successor must not have crashed since it
// started, and where all instances of a service change places at once, all that
// are new must be ready.
func (w *world) judgeSwitch(a *attempt, of shiptest.Sight) {
	p, want := a.paces[of.Service], a.wanted(of.Instance)
	if p == nil || want == nil || want.Config == of.Config || a.change(of.Instance).StopFirst != "" || a.suffered > 0 || a.disturbed || !w.serves(of) {
		return
	}
	for _, id := range p.ids {
		c, there := w.seen[id]
		if there && c.Instance == of.Instance && c.Restarts > 0 && time.Since(c.Started) > noticed {
			w.violation("%s of %s ends, and its successor %s has crashed", of.ID, of.Instance, id)
		}
	}
	s, _ := a.service(of.Service)
	if s.Update.AtOnce != (deployer.Amount{}) || s.Update.Canary != (deployer.Amount{}) || s.Update.Tolerate != (deployer.Amount{}) {
		return
	}
	for _, c := range a.plan.Changes {
		anew := c.Service == of.Service && c.StopFirst == "" && (c.Action == deployer.Start || c.Action == deployer.Replace)
		if anew && !a.crashed[c.Instance] && !w.declaredServes(a, c.Instance) {
			w.violation("%s of %s ends, and of those that change with it %s is not ready", of.ID, of.Instance, c.Instance)
		}
	}
}

// declaredServes tells whether the instance is served as the attempt declares
// it.
func (w *world) declaredServes(a *attempt, name batuta.InstanceName) bool {
	i := a.wanted(name)
	for _, c := range w.seen {
		if c.Instance == name && c.Config == i.Config && c.Ship == i.Ship && w.serves(c) {
			return true
		}
	}
	return false
}

// judgeWatch tells whether what is live was watched for as long as it is to be,
// since the last of a service started.
func (w *world) judgeWatch(a *attempt, outcome deployer.Outcome) {
	for _, s := range a.release.Services {
		p := a.paces[s.Name]
		if p == nil || time.Since(p.last) >= s.Update.Watch {
			continue
		}
		if slices.ContainsFunc(p.ids, func(id string) bool { return !tolerated(outcome, w.seen[id].Instance) && w.seen[id].Instance != "" }) {
			w.violation("live %s after the last of %s started, which is to be watched for %s", time.Since(p.last), s.Name, s.Update.Watch)
		}
	}
}
