package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"batuta"
	"batuta/deployer"
)

// Drift is how an environment differs from what its live release wants, and
// what is done about it.
type Drift struct {
	App         batuta.AppName         `json:"app"`
	Environment batuta.EnvironmentName `json:"environment"`
	Since       time.Time              `json:"since"`           // when it was seen first
	Drift       []string               `json:"drift,omitempty"` // what somebody changed, a line for each instance
	Moves       []string               `json:"moves,omitempty"` // what is to be elsewhere, because ships came, went or are drained
	Run         batuta.RunID           `json:"run,omitempty"`   // the last that was to mend it
	Tries       int                    `json:"tries,omitempty"` // runs in a row that did not
	Next        time.Time              `json:"next,omitzero"`   // the next of them does not begin before
	Why         string                 `json:"why,omitempty"`   // why the last of them failed
}

// same tells whether both are the same difference, whatever is done about it.
func (d Drift) same(other Drift) bool {
	return slices.Equal(d.Drift, other.Drift) && slices.Equal(d.Moves, other.Moves)
}

// none tells whether everything is as it should be.
func (d Drift) none() bool { return len(d.Drift)+len(d.Moves) == 0 }

// differences sorts a plan's changes into what somebody changed and what has
// to move.
func (v view) differences(plan deployer.Plan) Drift {
	var d Drift
	for _, c := range plan.Changes {
		drift, move := v.difference(c)
		if drift != "" {
			d.Drift = append(d.Drift, drift)
		}
		if move != "" {
			d.Moves = append(d.Moves, move)
		}
	}
	for _, c := range plan.Clashes {
		d.Drift = append(d.Drift, c.String())
	}
	slices.Sort(d.Drift)
	slices.Sort(d.Moves)
	return d
}

// difference is one change in words: as drift, or as a move.
func (v view) difference(c deployer.Change) (drift, move string) {
	one := deployer.Plan{Changes: []deployer.Change{c}}.Drift()
	if len(one) == 0 {
		return "", ""
	}
	if c.Action == deployer.Start {
		return v.missing(c, one[0])
	}
	for _, id := range c.Old {
		switch old := v.container(id); {
		case c.Action == deployer.Replace && old.Ship != c.Ship:
			return "", fmt.Sprintf("%s goes from %s to %s", c.Instance, old.Ship, c.Ship)
		case old.Release == v.release.Number:
		case v.ships[c.Ship].Back.After(v.last.Ended): // it was away when the others changed
			return "", fmt.Sprintf("%s on %s is left of release %d", c.Instance, c.Ship, old.Release)
		default: // a failure was tolerated, or left to a person
			return fmt.Sprintf("%s on %s is left of release %d", c.Instance, c.Ship, old.Release), ""
		}
	}
	return one[0].String(), ""
}

// missing tells why an instance is not there: somebody removed it, its ship is
// lost, or it never was.
func (v view) missing(c deployer.Change, gone deployer.Drift) (drift, move string) {
	if len(v.seen) == 0 {
		return gone.String(), ""
	}
	for _, ship := range slices.Sorted(maps.Keys(v.seen)) {
		if !slices.ContainsFunc(v.seen[ship], func(was deployer.Container) bool { return was.Instance == c.Instance }) {
			continue
		}
		if _, away := v.have.Unreachable[ship]; away {
			return "", fmt.Sprintf("%s goes from %s, which does not answer, to %s", c.Instance, ship, c.Ship)
		}
		gone.Ship = ship
		return gone.String(), ""
	}
	return "", fmt.Sprintf("%s is new on %s", c.Instance, c.Ship)
}

// container is one of those that were observed.
func (v view) container(id string) deployer.Container {
	i := slices.IndexFunc(v.have.Containers, func(c deployer.Container) bool { return c.ID == id })
	if i < 0 {
		return deployer.Container{}
	}
	return v.have.Containers[i]
}
