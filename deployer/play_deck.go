package deployer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"batuta"
)

// deck is a ship in a play. What it runs is asked once, when somebody first
// wants to know, and again only where a moment counts.
type deck struct {
	scene *scene
	name  batuta.ShipName
	ship  Ship

	first *answer[[]Container] // of when the play began

	mu    sync.Mutex // guards what follows
	found map[string]*answer[string]
	got   map[string]*answer[struct{}]
	next  *answer[[]Container] // the list that nobody has asked for yet

	listing chan struct{} // one list at a time
}

// answer is worked out by the first who wants it, and shared by all.
type answer[T any] struct {
	claimed atomic.Bool
	known   chan struct{}
	value   T
	err     error
}

func newAnswer[T any]() *answer[T] { return &answer[T]{known: make(chan struct{})} }

// get gives the answer, or works it out.
func (a *answer[T]) get(work func() (T, error)) (T, error) {
	if !a.claimed.CompareAndSwap(false, true) {
		<-a.known
		return a.value, a.err
	}
	defer close(a.known)
	a.value, a.err = work()
	return a.value, a.err
}

// entry gives the answer of a name in a map, which it makes if there is none.
func entry[T any](d *deck, of map[string]*answer[T], name string) *answer[T] {
	d.mu.Lock()
	defer d.mu.Unlock()
	if of[name] == nil {
		of[name] = newAnswer[T]()
	}
	return of[name]
}

func newDeck(s *scene, name batuta.ShipName, ship Ship) *deck {
	return &deck{
		scene: s, name: name, ship: ship, first: newAnswer[[]Container](), listing: make(chan struct{}, 1),
		found: map[string]*answer[string]{}, got: map[string]*answer[struct{}]{},
	}
}

// deck gives the part's ship. A document may name one that nobody knows.
func (s *scene) deck(p *part) (*deck, error) {
	d := s.ships[p.Ship]
	if d == nil {
		return nil, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("no ship %q", p.Ship)}
	}
	return d, nil
}

// containers are those of the scope when the play began.
func (d *deck) containers(ctx context.Context) ([]Container, error) {
	return d.first.get(func() ([]Container, error) { return d.ask(ctx) })
}

func (d *deck) ask(ctx context.Context) ([]Container, error) {
	f := d.scene.fleet
	have, err := f.containers(ctx, d.name, d.scene.play.spec.Scope, f.options.Ask)
	if err != nil {
		return nil, adrift{unavailable(d.name, err)}
	}
	return have, nil
}

// now lists what the ship runs at some moment after the call. Those who ask
// while another's list is under way share the next.
func (d *deck) now(ctx context.Context) ([]Container, error) {
	d.mu.Lock()
	if d.next == nil {
		d.next = newAnswer[[]Container]()
	}
	mine := d.next
	d.mu.Unlock()
	return mine.get(func() ([]Container, error) {
		d.listing <- struct{}{}
		defer func() { <-d.listing }()
		d.mu.Lock()
		d.next = nil // whoever asks from now on wants to know of a later moment
		d.mu.Unlock()
		return d.ask(ctx)
	})
}

// of are the part's own containers on its ship when the play began, oldest
// first. A foreign container that happens to have its name is none of them.
func (s *scene) of(ctx context.Context, p *part) (*deck, []Container, error) {
	d, err := s.deck(p)
	if err != nil {
		return nil, nil, err
	}
	have, err := d.containers(ctx)
	return d, slices.DeleteFunc(slices.Clone(have), func(c Container) bool { return c.Instance != p.Name }), err
}

// alive is the container among these that has processes: the newest, should
// there be several.
func aliveOf(of []Container) *Container {
	var out *Container
	for _, c := range of {
		if c.alive() && (out == nil || c.Created.After(out.Created)) {
			out = &c
		}
	}
	return out
}

// stoppedOf is the newest container among these that ran and does not.
func stoppedOf(of []Container) *Container {
	var out *Container
	for _, c := range of {
		if !c.alive() && c.ran() && (out == nil || c.Created.After(out.Created)) {
			out = &c
		}
	}
	return out
}
