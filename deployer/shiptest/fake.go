// Package shiptest is what tests of ships are made of: a ship in memory, whose
// containers live by the clock and whose every call can be made to fail, and
// the contract that it and every other implementation of deployer.Ship passes.
package shiptest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"batuta"
	"batuta/deployer"
)

// ErrHangs, as the fault of a call, makes it hang until its context ends.
var ErrHangs = errors.New("hangs")

// Fake is a ship in memory. Its containers live in the time of the test: in a
// synctest bubble they take none.
type Fake struct {
	// Behave tells how the containers of an instance behave; nil: Known.
	Behave func(deployer.Instance) Behaviour
	// Before may make a call fail before it does anything.
	Before func(Call) error
	// After may lose the answer of a call that did its work.
	After func(Call) error

	// Processes are the ports on which processes of the ship listen that are in
	// no container.
	Processes []deployer.Port
	// Own is what Facts tells; zero: a large idle ship.
	Own deployer.Facts

	name batuta.ShipName

	mu     sync.Mutex
	boxes  map[string]*box
	images map[batuta.Image]bool
	leases map[deployer.Scope]lease
	notes  map[deployer.Scope]deployer.Note
	builds map[string]int // by reference: how often its registry got a new image
	pulled map[string]int // which of them the ship has
	made   int
	calls  []Call
	diary  diary
}

var _ deployer.Ship = (*Fake)(nil)

// Call is one call of a method of the ship.
type Call struct {
	Method   string
	Ship     batuta.ShipName
	Instance batuta.InstanceName // of the container it is about; empty if none
	ID       string              // of that container; empty before it is created
	Image    batuta.Image        // of Pull
	By       string              // who makes the call, by its context; see As
}

// Changes tells whether the call changes what is on the ship.
func (c Call) Changes() bool {
	return slices.Contains([]string{"Pull", "Create", "Start", "Stop", "Kill", "Remove", "Prune"}, c.Method)
}

// New makes an empty ship.
func New(name batuta.ShipName) *Fake {
	return &Fake{name: name, boxes: map[string]*box{}, images: map[batuta.Image]bool{}, leases: map[deployer.Scope]lease{}, notes: map[deployer.Scope]deployer.Note{}, builds: map[string]int{}, pulled: map[string]int{}}
}

// Calls lists all calls so far, in their order.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// All lists all containers of all scopes, sorted by instance and age.
func (f *Fake) All() []deployer.Container {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list(func(*box) bool { return true })
}

func (f *Fake) list(which func(*box) bool) []deployer.Container {
	var out []deployer.Container
	for _, id := range slices.Sorted(maps.Keys(f.boxes)) {
		if b := f.boxes[id]; which(b) {
			out = append(out, b.Container)
		}
	}
	slices.SortStableFunc(out, func(a, b deployer.Container) int {
		return cmp.Or(cmp.Compare(a.Instance, b.Instance), a.Created.Compare(b.Created))
	})
	return out
}

type caller struct{}

// As names who makes the calls of a context, for a test in which several
// deploy to one ship.
func As(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, caller{}, who)
}

// call does one call: the ship's answer, unless a fault comes between.
func (f *Fake) call(ctx context.Context, c Call, do func() error) error {
	c.Ship = f.name
	c.By, _ = ctx.Value(caller{}).(string)
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	f.mu.Lock()
	f.calls = append(f.calls, c)
	before, after := f.Before, f.After
	f.mu.Unlock()
	if before != nil {
		switch err := before(c); {
		case errors.Is(err, ErrHangs):
			<-ctx.Done()
			return context.Cause(ctx)
		case err != nil:
			return err
		}
	}
	f.mu.Lock()
	err := do()
	f.mu.Unlock()
	if err == nil && after != nil {
		return after(c)
	}
	return err
}

// about is a call about one container.
func (f *Fake) about(method, id string) Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := Call{Method: method, ID: id}
	if b := f.boxes[id]; b != nil {
		c.Instance = b.Instance
	}
	return c
}

func (f *Fake) box(id string) (*box, error) {
	if b := f.boxes[id]; b != nil {
		return b, nil
	}
	return nil, &batuta.Error{Kind: batuta.NotFound, Message: "no container " + id}
}

// Containers lists the scope's containers.
func (f *Fake) Containers(ctx context.Context, s deployer.Scope) (out []deployer.Container, err error) {
	err = f.call(ctx, Call{Method: "Containers"}, func() error {
		out = f.list(func(b *box) bool { return b.Scope == s })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Taken lists the host ports that running containers hold.
func (f *Fake) Taken(ctx context.Context) (out []deployer.Taken, err error) {
	err = f.call(ctx, Call{Method: "Taken"}, func() error {
		for _, c := range f.list((*box).alive) {
			for _, p := range c.Ports {
				out = append(out, deployer.Taken{
					Port: deployer.Port{Host: p.Host, Address: p.Address, Protocol: p.Protocol}, By: c.Name, Scope: c.Scope,
				})
			}
		}
		return nil
	})
	return out, err
}

// Listens lists the ports on which processes listen, Docker's among them. It
// has no faults of its own: it is asked beside Taken, and may tell nothing.
func (f *Fake) Listens(ctx context.Context) ([]deployer.Port, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.listening()
	for _, c := range f.list((*box).alive) {
		for _, p := range c.Ports {
			out = append(out, deployer.Port{Host: p.Host, Address: p.Address, Protocol: p.Protocol})
		}
	}
	return out, nil
}

// listening are the ports that processes have of the ship's own network.
func (f *Fake) listening() []deployer.Port {
	out := slices.Clone(f.Processes)
	for _, b := range f.boxes {
		if b.alive() && b.of.NetworkMode == "host" && b.behaviour.Port != 0 {
			out = append(out, deployer.Port{Host: b.behaviour.Port, Protocol: "tcp"})
		}
	}
	return out
}

// Pull takes note of the image.
func (f *Fake) Pull(ctx context.Context, image batuta.Image) error {
	return f.call(ctx, Call{Method: "Pull", Image: image}, func() error {
		f.images[image] = true
		return nil
	})
}

// Start starts a container that does not run.
func (f *Fake) Start(ctx context.Context, id string) error {
	return f.call(ctx, f.about("Start", id), func() error {
		b, err := f.box(id)
		if err != nil || b.alive() {
			return err
		}
		for _, other := range f.boxes {
			if other.alive() && b.wantsPortOf(other.Ports) {
				return &batuta.Error{Kind: batuta.Conflict, Message: "port is already allocated"}
			}
		}
		if b.wantsPortOf(f.listening()) {
			return &batuta.Error{Kind: batuta.Conflict, Message: "address already in use"}
		}
		taken := b.of.NetworkMode == "host" && slices.ContainsFunc(f.listening(), func(p deployer.Port) bool { return p.Host == b.behaviour.Port })
		b.start()
		if taken { // its process finds out, and Docker does not
			b.end(98, true)
		}
		return nil
	})
}

// Stop ends a container; it takes the timeout if the container ignores SIGTERM.
func (f *Fake) Stop(ctx context.Context, id string, timeout time.Duration) error {
	var ended <-chan struct{}
	err := f.call(ctx, f.about("Stop", id), func() error {
		b, err := f.box(id)
		if err != nil || !b.alive() {
			return err
		}
		ended = b.stop(timeout)
		return nil
	})
	if err != nil || ended == nil {
		return err
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Kill ends a container at once.
func (f *Fake) Kill(ctx context.Context, id string) error {
	return f.call(ctx, f.about("Kill", id), func() error {
		if b := f.boxes[id]; b != nil {
			b.end(137, false)
		}
		return nil
	})
}

// Remove deletes a container.
func (f *Fake) Remove(ctx context.Context, id string) error {
	return f.call(ctx, f.about("Remove", id), func() error {
		if b := f.boxes[id]; b != nil {
			f.remove(b)
		}
		return nil
	})
}

func (f *Fake) remove(b *box) {
	b.end(137, false)
	b.note(deployer.Removed)
	delete(f.boxes, b.ID)
}

// RemoveNetwork does nothing: the fake has no networks.
func (f *Fake) RemoveNetwork(ctx context.Context, _ deployer.Scope) error {
	return f.call(ctx, Call{Method: "RemoveNetwork"}, func() error { return nil })
}

// Probe makes one attempt at a check.
func (f *Fake) Probe(ctx context.Context, id string, c deployer.Check) error {
	return f.call(ctx, f.about("Probe", id), func() error {
		b, err := f.box(id)
		switch {
		case err != nil:
			return err
		case b.State != "running":
			return errors.New("the container does not run")
		}
		return b.probe(c)
	})
}

// Wait returns when the container has ended.
func (f *Fake) Wait(ctx context.Context, id string) (exit deployer.Exit, err error) {
	var ended <-chan struct{}
	err = f.call(ctx, f.about("Wait", id), func() error {
		b, err := f.box(id)
		if err == nil {
			ended = b.ended
			if !b.alive() {
				ended = closed()
			}
		}
		return err
	})
	if err != nil {
		return exit, err
	}
	select {
	case <-ended:
		f.mu.Lock()
		defer f.mu.Unlock()
		if b := f.boxes[id]; b != nil {
			exit.Code = b.ExitCode
		}
		return exit, nil
	case <-ctx.Done():
		return exit, context.Cause(ctx)
	}
}

// Tail gives the last lines that the container printed.
func (f *Fake) Tail(ctx context.Context, id string, lines int) (out []string, err error) {
	err = f.call(ctx, f.about("Tail", id), func() error {
		b, err := f.box(id)
		if err == nil {
			out = slices.Clone(b.printed[max(0, len(b.printed)-lines):])
		}
		return err
	})
	return out, err
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
