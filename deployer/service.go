package deployer

import (
	"fmt"
	"math"
	"time"

	"batuta"
)

// Service is how the instances of a service are treated together.
type Service struct {
	Requires  []batuta.ServiceName `json:"requires,omitempty"`   // ready before it starts, stopped after it; sorted
	Omit      bool                 `json:"omit,omitempty"`       // a verb that names nothing leaves it out
	Counted   bool                 `json:"counted,omitempty"`    // its instances may run on any ship that matches
	LostAfter time.Duration        `json:"lost_after,omitempty"` // how long a ship may be silent before its counted instances are started elsewhere; 0: for ever
	Update    Update               `json:"update,omitzero"`
	Hooks     Hooks                `json:"hooks,omitzero"`
}

// Update is how the instances of a service are replaced. Its zero value
// replaces all at once, starts the new before it stops the old where it can,
// and puts everything back if anything fails.
type Update struct {
	AtOnce    Amount        `json:"at_once,omitzero"`     // instances in a batch; zero: all
	Canary    Amount        `json:"canary,omitzero"`      // a first batch of its own, watched before the others begin; zero: none
	StopFirst bool          `json:"stop_first,omitempty"` // order: stop_first
	Wait      time.Duration `json:"wait,omitempty"`       // between two batches
	Watch     time.Duration `json:"watch,omitempty"`      // how long the new must go on passing its checks before the deployment counts as live
	Tolerate  Amount        `json:"tolerate,omitzero"`    // instances that may fail: they are put back, and the others go on
	Pause     bool          `json:"pause,omitempty"`      // on_failure: pause; what failed is left for a person to look at
}

// Amount is a number of instances, or a part of them in percent.
type Amount struct {
	N       int `json:"n,omitempty"`
	Percent int `json:"percent,omitempty"` // 1 to 100; 0: N counts
}

// Of is the amount for so many instances: at least 1 of a percentage, at most
// all.
func (a Amount) Of(instances int) int {
	n := a.N
	if a.Percent > 0 {
		n = max(1, int(math.Floor(float64(instances)*float64(a.Percent)/100)))
	}
	return min(n, instances)
}

// String is the amount as a person writes it: 2, 25%.
func (a Amount) String() string {
	if a.Percent > 0 {
		return fmt.Sprintf("%d%%", a.Percent)
	}
	return fmt.Sprint(a.N)
}

// Hooks run commands around the deployment of a service, each in a container
// of its own.
type Hooks struct {
	Before    []Hook `json:"before,omitempty"`     // before any instance changes, and only if one does; a failure ends the deployment
	After     []Hook `json:"after,omitempty"`      // when all instances are ready
	OnFailure []Hook `json:"on_failure,omitempty"` // when the deployment has failed and all is put back
}

// Hook is a command that runs once, with the image, variables, volumes and
// network of its service's first instance.
type Hook struct {
	Instance Instance      `json:"instance"` // the container that runs it: no ports, no checks, no restart
	Timeout  time.Duration `json:"timeout"`
}
