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
func (s Scenario) Play(ctx context.Context) Record { return s.play(ctx, deceit{}) }

func (s Scenario) play(ctx context.Context, d deceit) Record {
	w := newWorld(s)
	w.deceit = d
	for _, x := range s.Strangers {
		w.mu.Lock()
		w.strange(x)
		w.mu.Unlock()
	}
	fleet := w.newFleet("server")
	for n, r := range s.Releases {
		a := w.deploy(ctx, fleet, attempt{who: fmt.Sprintf("release-%d", n+1), release: r})
		w.rivals.Wait()
		if a != nil && a.interrupted {
			fleet = w.mended()
			w.deploy(ctx, fleet, attempt{who: fmt.Sprintf("release-%d", n+1) + again, release: Release{Services: r.Services, Left: r.Left}})
		}
	}
	w.finale(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	return Record{w.log, w.wrong}
}

// mended has all ships answer, and gives the fleet of a deployer that has just
// started, once all leases of dead ones have ended.
func (w *world) mended() *deployer.Fleet {
	time.Sleep(time.Minute)
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.away)
	clear(w.lose)
	return w.newFleet("server")
}

// again ends the name of an attempt that finishes one that was interrupted.
const again = "-again"

// deploy resolves, plans and applies a release; nil if its document is refused.
func (w *world) deploy(ctx context.Context, fleet *deployer.Fleet, of attempt) *attempt {
	ctx = shiptest.As(ctx, of.who)
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	a := &of
	a.cancel = stop
	if err := w.resolve(a); err != nil {
		w.says("%s: the document is refused: %v", a.who, err)
		return nil
	}
	w.begin(a)
	plan, err := fleet.Plan(ctx, w.deceit.tell(a.want))
	if err != nil {
		w.ended(ctx, a, deployer.Outcome{Status: batuta.Failed}, err)
		return a
	}
	w.mu.Lock()
	a.plan = plan
	w.note("%s plans:\n%s", a.who, plan)
	w.mu.Unlock()
	outcome, err := fleet.Apply(ctx, plan, func(e deployer.Event) { w.says("%s says: %s", a.who, e) })
	w.ended(ctx, a, outcome, err)
	w.unlocked(ctx, a)
	return a
}

func (w *world) says(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(format, args...)
}

// resolve reads the release's document as the deployer does. What runs is
// looked up past the ships' faults, which are the deployment's.
func (w *world) resolve(a *attempt) error {
	text := a.release.document()
	doc, err := deployer.Parse("environments/qa.yml", []byte(text))
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	var current []deployer.Container
	for _, c := range w.ours() {
		current = append(current, c.Container)
	}
	w.note("%s: %s", a.who, strings.ReplaceAll(text, "\n", "\n             "))
	a.want, err = doc.Resolve(deployer.Input{Scope: own(), Release: 1, Ships: w.scenario.marked(a.release), Key: []byte("key"), Current: current})
	if err == nil {
		a.want.Services = a.release.policies(a.want)
		w.retain(a)
		w.judgePlaces(a)
	}
	return err
}

func (w *world) begin(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	a.mishaps, a.before, a.served, a.suffered = a.release.Mishaps, w.seen, w.serving(""), len(w.away)
	a.excused, a.crashed = map[batuta.InstanceName]bool{}, map[batuta.InstanceName]bool{}
	a.found, a.paces, a.owed, a.images = looks{}, map[batuta.ServiceName]*pace{}, w.owes(a), w.images()
	a.started, a.hooked = map[batuta.ServiceName]bool{}, map[batuta.ServiceName]bool{}
	w.attempts[a.who] = a
	w.active = append(w.active, a)
}

// unlocked wants nobody to hold the environment's lease after an attempt.
func (w *world) unlocked(ctx context.Context, a *attempt) {
	w.mu.Lock()
	busy := len(w.active) > 0 || time.Since(w.trouble) < time.Minute && !w.trouble.IsZero()
	w.mu.Unlock()
	if busy || a.rival {
		return // a lease that is not let go of ends by itself
	}
	ctx = shiptest.As(context.WithoutCancel(ctx), "somebody")
	for _, info := range w.scenario.Ships {
		by, err := w.ships[info.Name].Lock(ctx, own(), "somebody", time.Nanosecond)
		if by != "" || err != nil {
			w.breach("%s has ended, and %s is locked by %q (%v)", a.who, info.Name, by, err)
		}
	}
}

// finale deploys the last release once more without anything bad, and then
// nothing: both must come out exactly, the first time.
func (w *world) finale(ctx context.Context) {
	last := w.scenario.Releases[len(w.scenario.Releases)-1].calm(calmVersion)
	fleet := w.mended()
	w.evict()
	a := w.deploy(ctx, fleet, attempt{who: "calm", release: last})
	if a == nil {
		return
	}
	if w.previous != a {
		w.breach("the calm release is not live")
		return
	}
	again := w.deploy(ctx, fleet, attempt{who: "unchanged", release: last})
	if again == nil || !again.plan.Empty() || again.changed > 0 {
		w.breach("to deploy what runs already changes something")
	}
	if err := fleet.Down(shiptest.As(ctx, "down"), own()); err != nil {
		w.breach("down: %v", err)
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
