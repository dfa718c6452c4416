package lab

// What a program and the keeper say to each other, over net/rpc.

// ShipsRequest asks for ships.
type ShipsRequest struct {
	Count    int
	Own      bool   // fresh ones for this connection alone
	Programs string // the directory of their Engine's programs; empty: the machine's
}

// Act is something done to a ship.
type Act string

// The acts.
const (
	Cut        Act = "cut"
	Heal       Act = "heal"
	Freeze     Act = "freeze"
	Thaw       Act = "thaw"
	KillDaemon Act = "kill the daemon of"
	Restart    Act = "restart"
)

// ShipRequest asks for an act on one ship.
type ShipRequest struct {
	Ship string
	Act  Act
}

// SecureRequest asks for TLS on one ship.
type SecureRequest struct {
	Ship string
	Pair TLSFiles
}

// Files of the keeper.
const (
	Socket = StateDir + "/keeper.sock"
	Log    = StateDir + "/keeper.log"
	Lock   = StateDir + ".lock" // held by the one that runs; beside the directory, which goes with the lab
)
