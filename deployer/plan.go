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

	want Spec
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
	return p.blocked() == ""
}

// Hash names what the plan does. Two plans of one hash do the same, to the
// same containers.
func (p Plan) Hash() string {
	q := Plan{Scope: p.Scope, Release: p.Release}
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

// String is the plan for a person: one line per change in the order in which
// it happens, then what does not answer meanwhile.
func (p Plan) String() string {
	var b strings.Builder
	var kept, away []string
	for _, c := range p.Changes {
		if c.Action == Keep {
			kept = append(kept, string(c.Instance))
			continue
		}
		b.WriteString(c.String() + "\n")
		if c.StopFirst != "" {
			away = append(away, string(c.Instance))
		}
	}
	if len(away) > 0 {
		fmt.Fprintf(&b, "unavailable while it is replaced, one after the other: %s\n", strings.Join(away, ", "))
	}
	switch {
	case p.Empty() && len(kept) > 0:
		fmt.Fprintf(&b, "nothing to do: %s as declared\n", runs(kept))
	case len(kept) > 0:
		fmt.Fprintf(&b, "%s as declared: %s\n", runs(kept), strings.Join(kept, ", "))
	case len(p.Changes) == 0 && len(p.Unreachable) == 0:
		b.WriteString("nothing to do: nothing is declared, nothing runs\n")
	}
	for _, u := range p.Unreachable {
		if len(u.Needed) == 0 {
			fmt.Fprintf(&b, "ship %s does not answer, what runs there is left as it is: %s\n", u.Ship, u.Why)
		}
	}
	if why := p.blocked(); why != "" {
		b.WriteString("cannot be applied: " + why + "\n")
	}
	return b.String()
}

func runs(instances []string) string {
	if len(instances) == 1 {
		return "1 instance runs"
	}
	return fmt.Sprintf("%d instances run", len(instances))
}

// String is one line: web-1 on node1: replace: image 3f2a… → 9b1c….
func (c Change) String() string {
	act := string(c.Action)
	if c.StopFirst != "" {
		act = fmt.Sprintf("stop, then start (%s)", c.StopFirst)
	}
	line := fmt.Sprintf("%s on %s: %s", c.Instance, c.Ship, act)
	if len(c.Reasons) > 0 {
		line += ": " + strings.Join(c.Reasons, "; ")
	}
	return line
}
