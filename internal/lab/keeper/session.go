package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"

	"batuta/internal/lab"
)

// session is one user's connection. Its methods are what package lab calls.
type session struct {
	ctx    context.Context // the connection's: net/rpc gives methods none
	keeper *keeper

	mu  sync.Mutex // a user may ask for several things at once
	own []*ship
}

// Hello tells the user that the keeper takes it.
func (s *session) Hello(_ int, _ *int) error { return nil }

// Docker serves lab.Lab.Docker.
func (s *session) Docker(bases []lab.Base, endpoint *string) error {
	machine, err := s.keeper.machineEngine(s.ctx)
	if err != nil {
		return err
	}
	if err := s.keeper.bases.ensure(s.ctx, bases...); err != nil {
		return err
	}
	s.keeper.fetching.Lock()
	defer s.keeper.fetching.Unlock()
	for _, base := range bases {
		if err := machine.fetch(s.ctx, s.keeper.bases.address.Loopback, base); err != nil {
			return fmt.Errorf("put %s on the machine's Engine: %w", base, err)
		}
	}
	*endpoint = "unix://" + machine.socket
	return nil
}

// Ships serves lab.Lab.Ships and OwnShips.
func (s *session) Ships(ask lab.ShipsRequest, ships *[]lab.Ship) error {
	var found []*ship
	var err error
	if ask.Own {
		found, err = s.keeper.ships.lease(s.ctx, ask.Count, ask.Programs)
		s.mu.Lock()
		s.own = append(s.own, found...)
		s.mu.Unlock()
	} else {
		found, err = s.keeper.ships.shared(s.ctx, ask.Count)
	}
	for _, ship := range found {
		*ships = append(*ships, ship.face())
	}
	return err
}

// Act serves the methods of lab.Ship.
func (s *session) Act(ask lab.ShipRequest, _ *int) error {
	ship, err := s.owned(ask.Ship)
	if err != nil {
		return fmt.Errorf("%s %s: %w", ask.Act, ask.Ship, err)
	}
	return ship.act(s.ctx, ask.Act)
}

// Secure serves lab.Ship.Secure.
func (s *session) Secure(ask lab.SecureRequest, _ *int) error {
	ship, err := s.owned(ask.Ship)
	if err != nil {
		return fmt.Errorf("secure %s: %w", ask.Ship, err)
	}
	ship.engine.tls = ask.Pair
	return ship.act(s.ctx, lab.Restart)
}

// owned finds one of the user's own ships.
func (s *session) owned(name string) (*ship, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ship := range s.own {
		if ship.name == name {
			return ship, nil
		}
	}
	return nil, errors.New("others use it too: take a ship with OwnShips")
}

// BuildKit serves lab.Lab.BuildKit.
func (s *session) BuildKit(program string, address *string) (err error) {
	*address, err = s.keeper.buildKit(s.ctx, program)
	return err
}

// Bases serves lab.Lab.Bases.
func (s *session) Bases(bases []lab.Base, registry *lab.Registry) error {
	*registry = s.keeper.bases.address
	return s.keeper.bases.ensure(s.ctx, bases...)
}

// Down serves lab.Lab.Down: it gives the number of other users.
func (s *session) Down(_ int, others *int) error {
	*others = s.keeper.hurry() - 1
	return nil
}

// end gives back the user's own ships.
func (s *session) end() {
	if err := s.keeper.ships.giveBack(context.WithoutCancel(s.ctx), s.own); err != nil {
		slog.Error("ships not given back", "error", err)
	}
}

// handOver gives a socket to the person who called the keeper through sudo.
func handOver(socket string) error {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	if err != nil {
		return nil //nolint:nilerr // not called through sudo: root keeps it
	}
	gid, err := strconv.Atoi(os.Getenv("SUDO_GID"))
	return errors.Join(err, os.Chown(socket, uid, gid))
}
