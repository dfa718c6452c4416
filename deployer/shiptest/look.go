package shiptest

import (
	"maps"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
)

// Sight is a container as one sees it who stands on the ship.
type Sight struct {
	deployer.Container
	Serves bool // it runs, and its checks would pass
}

// Look gives all containers of all scopes, sorted by id. One that somebody
// altered has another Config than its label says. It is no call: it cannot
// fail, and disturbs nothing.
func (f *Fake) Look() []Sight {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Sight, 0, len(f.boxes))
	for _, b := range f.boxes {
		s := Sight{b.Container, b.serves()}
		if len(s.Altered) > 0 {
			s.Config += " altered" // it is not what it says
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Sight) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Images gives the images that the ship has, in no order. It is no call, either.
func (f *Fake) Images() []batuta.Image {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.images))
}

// serves tells whether the checks that the instance has would pass.
func (b *box) serves() bool {
	ready := len(b.of.Checks) == 0 || !b.behaviour.NeverReady && time.Since(b.Started) >= b.behaviour.ReadyAfter
	return b.State == "running" && ready
}

// Crash ends a container as if it had ended by itself, which Docker may answer
// with a restart. One that does not run is left alone.
func (f *Fake) Crash(id string, code int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.boxes[id]; b != nil && b.State == "running" {
		b.end(code, true)
	}
}

// Alter changes a container as if somebody had by hand: what says how.
func (f *Fake) Alter(id, what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.boxes[id]; b != nil {
		b.Altered = append(slices.Clip(b.Altered), what)
	}
}

// Ail has the checks of a container fail, or pass again.
func (f *Fake) Ail(id string, ails bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.boxes[id]; b != nil {
		b.behaviour.NeverReady = ails
	}
}

// Pause stops the processes of a container as docker pause does.
func (f *Fake) Pause(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.boxes[id]; b != nil && b.State == "running" {
		b.State = "paused"
	}
}
