package simulate

import (
	"slices"
	"strings"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// owes finds what the attempt must have serve again if it rolls back: what did
// when the one began that it finishes.
func (w *world) owes(a *attempt) map[batuta.InstanceName]bool {
	out := map[batuta.InstanceName]bool{}
	if len(w.since) != 1 || w.previous == nil || !strings.HasSuffix(a.who, again) {
		return out
	}
	first := w.since[0]
	if first.over || first.disturbed || !first.killed {
		return out
	}
	for name := range first.served {
		i := w.previous.wanted(name)
		if i == nil || first.crashed[name] || !first.had(*i) {
			continue
		}
		if s, _ := w.previous.service(i.Service); s.healthy() {
			out[name] = true
		}
	}
	return out
}

// had tells whether an instance ran as declared when the attempt began.
func (a *attempt) had(i deployer.Instance) bool {
	for _, c := range a.before {
		if c.Instance == i.Name && c.Config == i.Config && c.Serves {
			return true
		}
	}
	return false
}

// judgeOwed tells whether an attempt that was rolled back has put back what one
// that was killed before it had taken away.
func (w *world) judgeOwed(a *attempt, outcome deployer.Outcome) {
	if outcome.Status != batuta.RolledBack || a.suffered > 0 {
		return
	}
	for name := range a.owed {
		if !a.crashed[name] && !w.declaredServes(w.previous, name) {
			w.violation("rolled back, and %s is not back as it was before the attempt that was killed", name)
		}
	}
}

// judgeRevival tells whether a container may be started that is not as
// declared: one that stood still beside the one that did its work was left
// behind by a deployment that was live, and is not what ran before.
func (w *world) judgeRevival(a *attempt, c shiptest.Sight) {
	was, there := a.before[c.ID]
	i := a.wanted(c.Instance)
	if !there || alive(was) || !a.served[c.Instance] || !instance(c) || i != nil && i.Config == c.Config && i.Ship == c.Ship {
		return
	}
	if slices.ContainsFunc(w.since, func(b *attempt) bool { return alive(b.before[c.ID]) || !b.served[c.Instance] || b.excused[c.Instance] }) {
		return
	}
	w.violation("%s (%s) starts, and stood still before: %s was served by another", c.Name, c.ID, c.Instance)
}

func alive(c shiptest.Sight) bool { return c.State == "running" || c.State == "restarting" }

// retain tells the deployer which images may go: all that no release needs to
// which there is a way back.
func (w *world) retain(a *attempt) {
	for _, s := range a.release.Services {
		a.want.Own = append(a.want.Own, s.image().Repository)
	}
	if w.previous == nil {
		return
	}
	for _, i := range w.previous.want.Instances {
		if !slices.Contains(a.want.Keep, i.Image) {
			a.want.Keep = append(a.want.Keep, i.Image)
		}
	}
}

// images are what the ships have.
func (w *world) images() map[berth]bool {
	out := map[berth]bool{}
	for name, ship := range w.ships {
		for _, image := range ship.Images() {
			out[berth{name, image}] = true
		}
	}
	return out
}

// berth is an image on a ship.
type berth struct {
	ship  batuta.ShipName
	image batuta.Image
}

// judgeImages tells whether the images are there with which one could go back,
// and all if the attempt did not go live.
func (w *world) judgeImages(a *attempt, outcome deployer.Outcome) {
	if a.rival || a.disturbed {
		return
	}
	now := w.images()
	for b := range a.images {
		needed := outcome.Status != batuta.Live || slices.Contains(a.want.Keep, b.image) || !slices.Contains(a.want.Own, b.image.Repository) ||
			slices.ContainsFunc(a.want.Instances, func(i deployer.Instance) bool { return i.Image == b.image })
		if needed && !now[b] {
			w.violation("%s, and %s has lost %s, which is still needed", outcome.Status, b.ship, b.image)
		}
	}
}
