package deployer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"batuta"
)

// Action is what happens to one instance.
type Action string

// The actions. All but Stop end with the instance ready.
const (
	Start   Action = "start"   // there is none
	Replace Action = "replace" // there is one of another configuration
	Restart Action = "restart" // it has the configuration, and does not run
	Keep    Action = "keep"    // it runs as it should; it is checked, not touched
	Stop    Action = "stop"    // it is no longer declared
)

// Plan is the difference between what an environment declares and what runs,
// in the order in which Apply removes it. Its JSON holds no secret; a plan
// that was read from JSON can be shown and hashed, not applied.
type Plan struct {
	Scope       Scope                `json:"scope"`
	Release     batuta.ReleaseNumber `json:"release"`
	Changes     []Change             `json:"changes,omitempty"`
	Unreachable []Unreachable        `json:"unreachable,omitempty"` // sorted by ship
	Clashes     []Clash              `json:"clashes,omitempty"`     // sorted; if any, the plan cannot be applied

	// Services are the policies and hooks of those services that change and
	// have any.
	Services map[batuta.ServiceName]Service `json:"services,omitempty"`
	// Interrupted are the containers of hooks that nobody waits for any more.
	// They are removed, and the hooks run again.
	Interrupted []string `json:"interrupted,omitempty"`
	// Commits are what lies between the release that is live and this one, the
	// newest first, if whoever made the plan knows. They are shown, and are no
	// part of the hash.
	Commits []Commit `json:"commits,omitempty"`
	// By is what applies the plan, as the lease tells it beside the fleet's
	// holder: run 12. It may be empty, and is no part of the hash.
	By string `json:"-"`
	// Resumed says that By began to apply such a plan before and was cut short.
	// Even if nothing is left to do, Apply then takes away what marked the ships
	// as being changed. It is no part of the hash.
	Resumed bool `json:"-"`

	want        Spec
	interrupted []Container
}

// Commit is one commit that a release has and the one before has not.
type Commit struct {
	Revision batuta.Revision `json:"revision"`
	Author   string          `json:"author,omitempty"`
	Message  string          `json:"message"` // its first line
}

// Change is what happens to one instance, or to a container that is none any
// more.
type Change struct {
	Action    Action              `json:"action"`
	Wave      int                 `json:"wave"` // from 1; those of one wave happen together
	Service   batuta.ServiceName  `json:"service"`
	Instance  batuta.InstanceName `json:"instance"`
	Ship      batuta.ShipName     `json:"ship"`
	Image     string              `json:"image,omitempty"`      // repository@digest that it will run
	Config    string              `json:"config,omitempty"`     // of the instance as declared
	Container string              `json:"container,omitempty"`  // the one that has this config already
	Old       []string            `json:"old,omitempty"`        // containers that go, running or not
	StopFirst string              `json:"stop_first,omitempty"` // why the old must stop before the new starts; empty: it need not
	Reasons   []string            `json:"reasons,omitempty"`

	want    *Instance   // nil: Stop
	current *Container  // Container
	old     []Container // Old
	blocks  []Container // all that hold a host port it needs, of this instance or not
}

// Unreachable is a ship that does not answer.
type Unreachable struct {
	Ship   batuta.ShipName       `json:"ship"`
	Why    string                `json:"why"`
	Needed []batuta.InstanceName `json:"needed,omitempty"` // what should run there; if any, the plan cannot be applied

	hasty bool // it was given little time
}

// Empty tells whether everything runs as declared.
func (p Plan) Empty() bool {
	for _, c := range p.Changes {
		if c.Action != Keep {
			return false
		}
	}
	return len(p.Interrupted) == 0 && p.blocked() == ""
}

// idle tells whether there is nothing that Apply has to do.
func (p Plan) idle() bool { return p.Empty() && !p.Resumed }

// Hash names what the plan does. Two plans of one hash do the same, to the
// same containers.
func (p Plan) Hash() string {
	q := Plan{Scope: p.Scope, Release: p.Release, Services: p.Services, Interrupted: p.Interrupted}
	for _, c := range p.Changes {
		c.Reasons = nil // they tell a state that may flicker, as of one that crashes and restarts
		q.Changes = append(q.Changes, c)
	}
	for _, u := range p.Unreachable {
		q.Unreachable = append(q.Unreachable, Unreachable{Ship: u.Ship, Needed: u.Needed})
	}
	text, err := json.Marshal(q)
	if err != nil {
		panic(err) // nothing in a plan can fail to marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// blocked says why the plan cannot be applied; empty if it can.
func (p Plan) blocked() string {
	var out []string
	for _, u := range p.Unreachable {
		if len(u.Needed) > 0 {
			out = append(out, fmt.Sprintf("ship %s does not answer, and %s should run there: %s", u.Ship, strings.Join(names(u.Needed), ", "), u.Why))
		}
	}
	for _, c := range p.Clashes {
		out = append(out, c.String())
	}
	return strings.Join(out, "; ")
}

// obstacle is why the plan cannot be applied; nil if it can. Its kind tells
// whether the same plan may succeed later.
func (p Plan) obstacle() error {
	why := p.blocked()
	switch {
	case why == "":
		return nil
	case len(p.Clashes) > 0:
		return &batuta.Error{Kind: batuta.Conflict, Message: why, Hint: "nothing was touched; choose another host port, let Docker pick one, or stop what holds it"}
	}
	return &batuta.Error{Kind: batuta.Unavailable, Message: why, Hint: "nothing was touched; deploy again when the ship is back"}
}
