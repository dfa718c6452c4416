package deployer

import (
	"fmt"
	"strings"

	"batuta"
)

// Drift is one difference between what a deployment left and what runs now,
// that nobody deployed.
type Drift struct {
	Service  batuta.ServiceName  `json:"service"`
	Instance batuta.InstanceName `json:"instance"`
	Ship     batuta.ShipName     `json:"ship"`
	What     string              `json:"what"` // for a person: it was stopped: exited 137
}

// String is one line: web-1 on node1: it was stopped: exited 137.
func (d Drift) String() string { return fmt.Sprintf("%s on %s: %s", d.Instance, d.Ship, d.What) }

// Drift tells what somebody stopped, removed, changed or added by hand, if the
// plan was made for the release that is live. To repair it is to apply the
// plan. What should run on a ship that does not answer is no drift: nobody
// knows.
func (p Plan) Drift() []Drift {
	var out []Drift
	for _, c := range p.Changes {
		if c.Action != Keep {
			out = append(out, Drift{c.Service, c.Instance, c.Ship, c.drifted()})
		}
	}
	return out
}

func (c Change) drifted() string {
	why := strings.Join(c.Reasons, "; ")
	switch c.Action {
	case Start:
		return "it is gone"
	case Restart:
		return "it was stopped, or ended by itself: " + strings.TrimPrefix(why, notRunning)
	case Stop:
		return "it is not declared, and carries our labels"
	}
	return "it is not as declared: " + why
}
