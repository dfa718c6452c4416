package simulate

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// world is the ships of a scenario, and everybody who does something on them.
type world struct {
	scenario Scenario
	deceit   deceit
	began    time.Time
	ships    map[batuta.ShipName]*shiptest.Fake
	rivals   sync.WaitGroup

	mu       sync.Mutex          // guards what follows
	attempts map[string]*attempt // by who makes it
	rivaled  int                 // rivals that there were
	active   []*attempt          // that have not ended
	calls    map[shiptest.Call]int
	lose     map[shiptest.Call]bool     // whose answer is to be lost
	away     map[batuta.ShipName]outage // ships that do not answer
	seen     map[string]shiptest.Sight  // all containers, at the last look
	asked    map[string]bool            // containers that a deployer told to end
	asFound  map[string]bool            // containers of others, to be left as they are
	previous *attempt                   // the last one that went live
	since    []*attempt                 // those after it
	trouble  time.Time                  // when the last attempt ended that may not have let go of its lease
	log      []string
	wrong    []string
}

// outage is how and until when a ship does not answer.
type outage struct {
	until time.Time
	hangs bool
}

var (
	errKilled  = errors.New("the deployer is dead")
	errNoImage = &batuta.Error{Kind: batuta.NotFound, Message: "the registry has no such image"}
	errBusy    = &batuta.Error{Kind: batuta.Internal, Message: "the Engine says: device or resource busy"}
	errSilent  = &batuta.Error{Kind: batuta.Unavailable, Message: "no route to host"}
)

// deceit is what keeps the deployer from keeping its promises, for a test of
// whether that is noticed. The zero value is none.
type deceit struct {
	ship func(*shiptest.Fake) deployer.Ship // what it has in the place of a ship
	told func(*deployer.Spec)               // changes what it is told to do; may not change what is shared
}

func (d deceit) on(ship *shiptest.Fake) deployer.Ship {
	if d.ship == nil {
		return ship
	}
	return d.ship(ship)
}

// tell gives the specification that the deployer is told.
func (d deceit) tell(want deployer.Spec) deployer.Spec {
	if d.told != nil {
		d.told(&want)
	}
	return want
}

func newWorld(s Scenario) *world {
	w := &world{
		scenario: s, began: time.Now(), ships: map[batuta.ShipName]*shiptest.Fake{}, attempts: map[string]*attempt{},
		calls: map[shiptest.Call]int{}, lose: map[shiptest.Call]bool{}, away: map[batuta.ShipName]outage{},
		seen: map[string]shiptest.Sight{}, asked: map[string]bool{}, asFound: map[string]bool{},
	}
	for _, info := range s.Ships {
		ship := shiptest.New(info.Name)
		ship.Before, ship.After, ship.Behave = w.before, w.after, w.behave
		w.ships[info.Name] = ship
	}
	return w
}

// newFleet is what a deployer has that has just started.
func (w *world) newFleet(holder string) *deployer.Fleet {
	ships := map[batuta.ShipName]deployer.Ship{}
	for name, ship := range w.ships {
		ships[name] = w.deceit.on(ship)
	}
	return deployer.New(ships, deployer.Options{Holder: holder})
}

// behave finds how a container behaves by what it was made of.
func (w *world) behave(i deployer.Instance) shiptest.Behaviour {
	if len(i.Command) == 2 && i.Command[0] == "hook" {
		return shiptest.Behaviour{Exits: true, ExitAfter: 700 * time.Millisecond, ExitCode: len(i.Command[1]) - len("succeeds")}
	}
	for _, v := range i.Env {
		if v.Name != "VERSION" {
			continue
		}
		for _, r := range w.scenario.Releases {
			for _, s := range r.Services {
				if s.Name == i.Service && fmt.Sprint(s.Version) == v.Value {
					return s.life(i.Name)
				}
			}
		}
	}
	return shiptest.Behaviour{}
}

// before is on a call's way to the ship.
func (w *world) before(c shiptest.Call) error {
	time.Sleep(w.latency(c))
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.attempts[c.By]
	switch {
	case a == nil: // somebody's hand
		w.look()
		return nil
	case a.dead:
		return errKilled
	}
	var err error
	if counts(c) {
		w.look()
		a.calls++
		err = w.suffer(a, c)
	}
	if out, silent := w.away[c.Ship]; err == nil && silent {
		if err = errSilent; out.hangs {
			err = w.hang(c)
		}
	}
	switch {
	case c.Method == "Pull" && a.nopull == c.Ship:
		err = errNoImage
	case c.Method == "Remove" && a.noremove && !alive(w.seen[c.ID]) && w.seen[c.ID].State != "created":
		err = errBusy
	}
	if counts(c) {
		w.note("%s call %d: %s", a.who, a.calls, callText(c, err))
	}
	if err == nil {
		w.judge(a, c)
	}
	return err
}

// after is on the answer's way back.
func (w *world) after(c shiptest.Call) error {
	if c.Method == "Start" { // a container may have crashed before anybody hears that it has started
		time.Sleep(w.latency(c))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Changes() && counts(c) {
		w.look()
	}
	if a := w.attempts[c.By]; a != nil && a.dead {
		return errKilled
	}
	if w.lose[c] {
		delete(w.lose, c)
		return errSilent
	}
	return nil
}

// counts tells whether a call is always made, and in its turn. One that looks
// whether a container is ready is not, if it is seen to have crashed at that
// instant; pulls wait for each other in any order.
func counts(c shiptest.Call) bool {
	return c.Method != "Wait" && c.Method != "Probe" && c.Method != "Pull"
}

// latency is how long a call is on its way. No two calls arrive at the same
// instant, so that a scenario plays out the same way every time, whatever the
// machine's threads do.
func (w *world) latency(c shiptest.Call) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !counts(c) {
		return 0
	}
	w.calls[c]++
	h := fnv.New64a()
	fmt.Fprint(h, w.scenario.Seed, c.By, c.Ship, c.Method, c.Instance, c.ID, c.Image, w.calls[c])
	return 100*time.Microsecond + time.Duration(h.Sum64()%uint64(5*time.Millisecond))
}

// hang is the fault of a call that is never answered. A pull has no time in
// which it must be done; a ship gives up by itself when nothing comes.
func (w *world) hang(c shiptest.Call) error {
	if c.Method != "Pull" {
		return shiptest.ErrHangs
	}
	return errSilent
}

func callText(c shiptest.Call, err error) string {
	text := fmt.Sprintf("%s %s", c.Method, c.Ship)
	if c.Instance != "" {
		text += fmt.Sprintf(" %s (%s)", c.Instance, c.ID)
	}
	if err != nil {
		text += ": " + err.Error()
	}
	return text
}

func (w *world) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%10.4fs  ", time.Since(w.began).Seconds())+fmt.Sprintf(format, args...))
}

// violation notes that the deployer broke a promise. The mutex is held.
func (w *world) violation(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.wrong = append(w.wrong, text)
	w.note("BROKEN: %s", text)
}

// breach is violation without the mutex.
func (w *world) breach(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violation(format, args...)
}

// look notes what has changed on the ships since the last look: what ended by
// itself, and whether anything of others was touched.
func (w *world) look() {
	now := make(map[string]shiptest.Sight, len(w.seen))
	for _, info := range w.scenario.Ships {
		for _, c := range w.ships[info.Name].Look() {
			now[c.ID] = c
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.seen)) {
		was := w.seen[id]
		is, there := now[id]
		changed := !there || is.State != was.State || !is.Started.Equal(was.Started)
		switch {
		case changed && w.asFound[id] && was.State == "restarting": // it is Docker that starts it again
		case changed && w.asFound[id]:
			w.violation("%s on %s is none of ours, and was touched: %s, now %q", was.Name, was.Ship, was.State, is.State)
			delete(w.asFound, id)
		case !instance(was) || w.asked[id]:
		case changed && was.State == "running":
			w.excuse(was, "ended by itself")
		case was.Serves && !is.Serves:
			w.excuse(was, "serves no more")
		}
	}
	w.seen = now
}

// instance tells whether the container is one of our instances', rather than
// somebody else's or a hook's.
func instance(c shiptest.Sight) bool {
	return c.Scope == own() && !strings.HasPrefix(c.Spec, `{"hook":`)
}

// excuse notes that an instance was taken away by something else than a
// deployer. For those who found the container when they began, it is beyond
// what they can put back.
func (w *world) excuse(c shiptest.Sight, why string) {
	w.note("%s (%s) on %s %s", c.Instance, c.ID, c.Ship, why)
	for _, a := range w.active {
		a.crashed[c.Instance] = true
		if _, found := a.before[c.ID]; found {
			a.excused[c.Instance] = true
		}
	}
}

// serves tells whether a container does its work and nobody told it to end.
func (w *world) serves(c shiptest.Sight) bool {
	return c.Serves && !w.asked[c.ID] && instance(c)
}

// serving are the instances that are served by a container, other than one.
func (w *world) serving(other string) map[batuta.InstanceName]bool {
	out := map[batuta.InstanceName]bool{}
	for id, c := range w.seen {
		if id != other && w.serves(c) {
			out[c.Instance] = true
		}
	}
	return out
}

// ours are our containers, sorted by id.
func (w *world) ours() []shiptest.Sight {
	var out []shiptest.Sight
	for _, c := range w.seen {
		if c.Scope == own() {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b shiptest.Sight) int { return strings.Compare(a.ID, b.ID) })
	return out
}
