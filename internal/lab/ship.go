package lab

import (
	"context"

	"batuta"
)

// Ship is a Docker host: a real daemon in a network namespace of its own. Its
// containers reach the other ships and the machine, and nothing else; there is
// no DNS.
type Ship struct {
	Name     batuta.ShipName
	Address  string // where its published ports answer: an IPv4 address in Network
	Endpoint string // its daemon, as unix:///path
	TCP      string // its daemon, as tcp://address:2375, without TLS

	lab *Lab
}

// Cut takes the ship off the network, as if its cable were pulled. The unix
// endpoint still answers. All of Cut to Restart are for OwnShips only.
func (s Ship) Cut(ctx context.Context) error { return s.act(ctx, Cut) }

// Heal puts the ship back on the network.
func (s Ship) Heal(ctx context.Context) error { return s.act(ctx, Heal) }

// Freeze stops the ship's daemon in its tracks: connections are accepted, and
// nothing answers. Its containers run on.
func (s Ship) Freeze(ctx context.Context) error { return s.act(ctx, Freeze) }

// Thaw lets the ship's daemon go on.
func (s Ship) Thaw(ctx context.Context) error { return s.act(ctx, Thaw) }

// KillDaemon kills the ship's daemon with SIGKILL. Its containers run on until
// Restart, which stops them (live restore is off).
func (s Ship) KillDaemon(ctx context.Context) error { return s.act(ctx, KillDaemon) }

// Restart starts the ship's daemon again after KillDaemon and waits until it
// answers.
func (s Ship) Restart(ctx context.Context) error { return s.act(ctx, Restart) }

// TLSFiles are paths of PEM files: what an end of a connection shows of itself,
// and the CA of what it takes of the other.
type TLSFiles struct{ CA, Cert, Key string }

// Secure starts the ship's daemon again so that its TCP endpoint, at the same
// port, speaks TLS with clients that have a certificate of the CA, and with no
// others. It is for OwnShips only, and what runs there is stopped.
func (s Ship) Secure(ctx context.Context, with TLSFiles) error {
	return s.lab.call(ctx, "Secure", SecureRequest{Ship: string(s.Name), Pair: with}, new(int))
}

func (s Ship) act(ctx context.Context, act Act) error {
	return s.lab.call(ctx, "Act", ShipRequest{Ship: string(s.Name), Act: act}, new(int))
}
