package deployer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"batuta"
)

// State is what runs of one scope, as its ships tell it.
type State struct {
	Containers  []Container                // sorted by ship, instance, age and id
	Unreachable map[batuta.ShipName]string // why a ship did not answer

	// Taken are the host ports that containers hold, on the ships that were
	// asked.
	Taken map[batuta.ShipName][]Taken

	hasty map[batuta.ShipName]bool // unreachable ships that were given little time
}

// sorted is the state with its containers in their order; s stays as it is.
func (s State) sorted() State {
	s.Containers = arranged(s.Containers, (*Container).before)
	return s
}

// before orders containers by ship, instance, age and id.
func (c *Container) before(other *Container) int {
	if c.Ship != other.Ship {
		return cmp.Compare(c.Ship, other.Ship)
	}
	return cmp.Or(compareNames(c.Instance, other.Instance), c.Created.Compare(other.Created), strings.Compare(c.ID, other.ID))
}

// running tells whether the container does its work.
func (c Container) running() bool { return c.State == "running" }

// alive tells whether the container has processes, and so may hold its ports.
func (c Container) alive() bool {
	return c.State == "running" || c.State == "restarting" || c.State == "paused"
}

// ran tells whether the container was ever started.
func (c Container) ran() bool { return c.State != "created" }

// held are the host ports that the container holds, or will again in a moment
// if it is being restarted; some may be told twice.
func (c Container) held() []Port {
	spec, _ := recall(c)
	return slices.Concat(c.Ports, onHost(spec.NetworkMode, spec.Ports))
}

// condition is the state for a person: exited 1.
func (c Container) condition() string {
	if c.State == "exited" || c.State == "dead" {
		return fmt.Sprintf("%s %d", c.State, c.ExitCode)
	}
	return c.State
}
