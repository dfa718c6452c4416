package simulate

import (
	"fmt"
	"time"

	"batuta"
)

// Kind is what goes wrong.
type Kind string

// The kinds of mishaps. The first happen to one call, the next to a ship, then
// to the deployer, and the last are somebody's hand.
const (
	Silent  Kind = "the ship does not answer the call" // nothing is done
	Refused Kind = "the ship refuses the call"         // nothing is done
	Lost    Kind = "the ship does it, and the answer is lost"
	Hangs   Kind = "the call hangs" // until its context ends; nothing is done

	Away   Kind = "the ship is off the network" // for a time; its containers run on
	Frozen Kind = "the ship hangs"              // the same, without an error
	Reboot Kind = "the ship's daemon restarts"  // and its containers with it

	NoPull   Kind = "the ship cannot pull" // from now on, in this deployment
	NoRemove Kind = "no ship can remove"   // the same, of containers that stand still

	Kill    Kind = "the deployer is killed"
	Suspend Kind = "the deployer is suspended"
	Late    Kind = "the deployer is killed after it has stopped something"
	Cancel  Kind = "the deployment is cancelled"

	HandStop   Kind = "somebody stops a container"
	HandRemove Kind = "somebody removes a container"
	HandAdd    Kind = "somebody starts a container of the same name" // that is none of ours
	HandPort   Kind = "somebody takes a host port"
	HandAlter  Kind = "somebody changes a container" // docker update
	HandPause  Kind = "somebody pauses a container"
	Rival      Kind = "somebody else deploys the same"
)

// kinds is all that the plain scenarios have.
func kinds() []Kind {
	return []Kind{Silent, Refused, Lost, Hangs, Away, Frozen, Reboot, NoPull, Kill, Suspend, Cancel, HandStop, HandRemove, HandAdd, HandPort, Rival}
}

// Mishap is one thing that goes wrong in a deployment.
type Mishap struct {
	At   int // the deployer's call at which it does, from 1; of Late, the container that it stops
	Kind Kind
	For  time.Duration   // of Away and Frozen
	Ship batuta.ShipName // of Away, Frozen, Reboot, NoPull, HandAdd and HandPort
	Pick int             // which container, of those there are
	Host int             // of HandPort
}

func (m Mishap) String() string {
	switch m.Kind {
	case Away, Frozen:
		return fmt.Sprintf("at call %d %s: %s for %s", m.At, m.Ship, m.Kind, m.For)
	case Reboot, NoPull, HandAdd, HandPort:
		return fmt.Sprintf("at call %d on %s: %s", m.At, m.Ship, m.Kind)
	}
	return fmt.Sprintf("at call %d: %s", m.At, m.Kind)
}

// due tells whether the mishap happens at this call of the attempt.
func (m Mishap) due(a *attempt) bool {
	if m.Kind == Late {
		return a.stopped >= m.At
	}
	return a.calls >= m.At
}
