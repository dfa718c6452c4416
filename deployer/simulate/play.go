package simulate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// Record is what happened in a scenario.
type Record struct {
	Log   []string // every call and mishap, in order
	Wrong []string // the promises that were broken; empty if none
}

// patient is more than any deployment may take, with all its patience.
const patient = 2 * time.Hour

// Play plays the scenario. It must run in a synctest bubble.
func (s Scenario) Play(ctx context.Context) Record {
	w := newWorld(s)
	for _, x := range s.Strangers {
		w.mu.Lock()
		w.strange(x)
		w.mu.Unlock()
	}
	for n, r := range s.Releases {
		if a := w.deploy(ctx, fmt.Sprintf("release-%d", n+1), r); a != nil && a.interrupted {
			w.mended(ctx, fmt.Sprintf("release-%d-again", n+1), Release{Services: r.Services})
		}
	}
	w.finale(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	return Record{w.log, w.wrong}
}

// mended deploys once more, on ships that answer.
func (w *world) mended(ctx context.Context, who string, r Release) *attempt {
	w.mu.Lock()
	clear(w.away)
	clear(w.lose)
	w.mu.Unlock()
	w.newFleet()
	return w.deploy(ctx, who, r)
}

// deploy resolves, plans and applies a release; nil if its document is refused.
func (w *world) deploy(ctx context.Context, who string, r Release) *attempt {
	ctx = shiptest.As(ctx, who)
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	want, err := w.resolve(who, r)
	if err != nil {
		w.says("%s: the document is refused: %v", who, err)
		return nil
	}
	a := w.begin(who, r, want, stop)
	plan, err := w.fleet.Plan(ctx, want)
	if err != nil {
		w.ended(ctx, a, deployer.Outcome{Status: batuta.Failed}, err)
		return a
	}
	w.mu.Lock()
	a.plan = plan
	w.note("%s plans:\n%s", who, plan)
	w.mu.Unlock()
	outcome, err := w.fleet.Apply(ctx, plan, func(e deployer.Event) { w.says("%s says: %s", who, e) })
	w.ended(ctx, a, outcome, err)
	return a
}

func (w *world) says(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(format, args...)
}

// resolve reads the release's document as the deployer does. What runs is
// looked up past the ships' faults, which are the deployment's.
func (w *world) resolve(who string, r Release) (deployer.Spec, error) {
	doc, err := deployer.Parse("environments/qa.yml", []byte(r.document()))
	if err != nil {
		return deployer.Spec{}, err
	}
	w.mu.Lock()
	w.look()
	var current []deployer.Container
	for _, c := range w.ours() {
		current = append(current, c.Container)
	}
	w.note("%s: %s", who, strings.ReplaceAll(r.document(), "\n", "\n             "))
	w.mu.Unlock()
	return doc.Resolve(deployer.Input{Scope: own(), Release: 1, Ships: w.scenario.Ships, Key: []byte("key"), Current: current})
}

func (w *world) begin(who string, r Release, want deployer.Spec, stop context.CancelCauseFunc) *attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	clear(w.excused)
	a := &attempt{who: who, release: r, want: want, mishaps: r.Mishaps, cancel: stop, before: w.seen, served: w.serving("")}
	a.suffered = len(w.away)
	w.attempts[who] = a
	return a
}

// finale deploys the last release once more without anything bad, and then
// nothing: both must come out exactly, the first time.
func (w *world) finale(ctx context.Context) {
	last := w.scenario.Releases[len(w.scenario.Releases)-1].calm(calmVersion)
	w.evict()
	a := w.mended(ctx, "calm", last)
	if a == nil {
		return
	}
	if w.previous != a {
		w.says("calm: it is not live")
		w.mu.Lock()
		w.violation("the calm release is not live")
		w.mu.Unlock()
		return
	}
	w.unchanged(ctx, last)
	if err := w.fleet.Down(ctx, own()); err != nil {
		w.mu.Lock()
		w.violation("down: %v", err)
		w.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	for _, c := range w.ours() {
		w.violation("%s (%s) on %s is left after all was taken down", c.Instance, c.ID, c.Ship)
	}
}

const calmVersion = 1000

// evict takes the strangers away that hold host ports.
func (w *world) evict() {
	ctx := shiptest.As(context.Background(), "somebody")
	for _, ship := range w.ships {
		for _, c := range ship.Look() {
			if c.Scope != own() && len(c.Ports) > 0 {
				w.mu.Lock()
				delete(w.asFound, c.ID)
				w.mu.Unlock()
				_ = ship.Remove(ctx, c.ID)
			}
		}
	}
}

// unchanged deploys what runs already, which must touch nothing.
func (w *world) unchanged(ctx context.Context, r Release) {
	a := w.deploy(ctx, "unchanged", r)
	w.mu.Lock()
	defer w.mu.Unlock()
	if a == nil || !a.plan.Empty() || a.changed > 0 {
		w.violation("to deploy what runs already changes something")
	}
}
