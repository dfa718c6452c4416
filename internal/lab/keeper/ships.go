package keeper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/internal/lab"
)

// maxShips is how many shared ships there can be, and how many ships of
// somebody's own.
const maxShips = 80

// fleet is all the ships.
type fleet struct {
	mirror string // the base images' registry, host:port

	mu     sync.Mutex
	common [maxShips]part[*ship]
	leased [maxShips]bool
}

// ship is a Docker engine in a network namespace of its own.
type ship struct {
	name, address string
	slot          int    // in fleet.leased
	programs      string // the directory of its Engine's; empty: the machine's
	engine        *engine
}

func newFleet(mirror string) *fleet { return &fleet{mirror: mirror} }

// shared gives the first n ships, started if need be.
func (f *fleet) shared(ctx context.Context, n int) ([]*ship, error) {
	if n > maxShips {
		return nil, fmt.Errorf("%d ships asked for: the lab has %d", n, maxShips)
	}
	ships := make([]*ship, n)
	var starts errgroup.Group
	for i := range n {
		starts.Go(func() (err error) {
			ships[i], err = f.common[i].get(func() (*ship, func() error, error) {
				s := &ship{name: fmt.Sprintf("ship%d", i+1), address: fmt.Sprintf("10.77.0.%d", 11+i)}
				return s, func() error { return s.engine.err() }, f.launch(ctx, s)
			})
			return err
		})
	}
	return ships, starts.Wait()
}

// lease starts n ships for one user, with the Engine whose programs are in a
// directory, or the machine's.
func (f *fleet) lease(ctx context.Context, n int, programs string) ([]*ship, error) {
	var ships []*ship
	var starts errgroup.Group
	for range n {
		slot := f.freeSlot()
		if slot < 0 {
			return ships, errors.Join(fmt.Errorf("all %d ships are taken", maxShips), starts.Wait())
		}
		s := &ship{name: fmt.Sprintf("own%d", slot+1), address: fmt.Sprintf("10.77.0.%d", 101+slot), slot: slot, programs: programs}
		ships = append(ships, s)
		starts.Go(func() error { return f.launch(ctx, s) })
	}
	return ships, starts.Wait()
}

func (f *fleet) freeSlot() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for slot, taken := range f.leased {
		if !taken {
			f.leased[slot] = true
			return slot
		}
	}
	return -1
}

// giveBack removes ships that were leased.
func (f *fleet) giveBack(ctx context.Context, ships []*ship) error {
	var problems error
	for _, s := range ships {
		err := errors.Join(s.engine.remove(ctx), removeCable(ctx, s.name))
		if err != nil {
			problems = errors.Join(problems, fmt.Errorf("remove %s: %w", s.name, err))
			continue // its slot stays taken: what is left of it would be in the way
		}
		f.mu.Lock()
		f.leased[s.slot] = false
		f.mu.Unlock()
	}
	return problems
}

// launch cables a ship and starts its engine.
func (f *fleet) launch(ctx context.Context, s *ship) error {
	s.engine = newEngine(s.name, f.mirror)
	s.engine.netns, s.engine.programs = nsPrefix+s.name, s.programs
	s.engine.tcp = "tcp://" + s.address + ":2375"
	if err := s.engine.remove(ctx); err != nil { // of an earlier try
		return err
	}
	_ = removeCable(ctx, s.name) // there is none, unless an earlier try left it
	if err := addCable(ctx, s.name, s.address); err != nil {
		return err
	}
	if err := s.engine.start(ctx); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	return nil
}

// face is what a user sees of the ship.
func (s *ship) face() lab.Ship {
	return lab.Ship{Name: batuta.ShipName(s.name), Address: s.address, Endpoint: "unix://" + s.engine.socket, TCP: s.engine.tcp}
}

// act does to the ship what its user asks for.
func (s *ship) act(ctx context.Context, act lab.Act) error {
	switch act {
	case lab.Cut:
		return inOrder(ctx, "ip link set "+linkPrefix+s.name+" down")
	case lab.Heal:
		return inOrder(ctx, "ip link set "+linkPrefix+s.name+" up")
	case lab.Freeze:
		return errors.Join(s.engine.dockerd.Signal(syscall.SIGSTOP), lab.Eventually(ctx, time.Minute, s.engine.dockerd.Stopped))
	case lab.Thaw:
		return s.engine.dockerd.Signal(syscall.SIGCONT)
	case lab.KillDaemon:
		return s.engine.dockerd.Kill()
	case lab.Restart:
		return errors.Join(s.engine.dockerd.Kill(), s.engine.startDockerd(ctx))
	}
	return fmt.Errorf("%s: no such act", act)
}
