package pipeline

import (
	"fmt"
	"slices"
	"strings"
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
	at := fmt.Sprintf("%s on %s", c.Instance, c.Ship)
	switch c.Action {
	case deployer.Keep:
		return "", ""
	case deployer.Start:
		return v.missing(c, at)
	case deployer.Restart:
		return at + " was stopped by hand: " + strings.Join(c.Reasons, ", "), ""
	case deployer.Stop:
		if old := v.container(c.Old[0]); old.Release != v.release.Number {
			return "", fmt.Sprintf("%s is left of release %d", at, old.Release)
		}
		return at + " is not declared", ""
	case deployer.Replace:
	}
	for _, id := range c.Old {
		switch old := v.container(id); {
		case old.Ship != c.Ship:
			return "", fmt.Sprintf("%s goes from %s to %s", c.Instance, old.Ship, c.Ship)
		case old.Release != v.release.Number:
			return "", fmt.Sprintf("%s still has release %d", at, old.Release)
		}
	}
	return at + " was changed: " + strings.Join(c.Reasons, ", "), ""
}

// missing tells why an instance is not there: somebody removed it, its ship is
// lost, or it never was.
func (v view) missing(c deployer.Change, at string) (drift, move string) {
	if len(v.seen) == 0 {
		return at + " is missing", ""
	}
	for ship, containers := range v.seen {
		_, away := v.have.Unreachable[ship]
		for _, was := range containers {
			switch {
			case was.Instance == c.Instance && away:
				return "", fmt.Sprintf("%s goes from %s, which does not answer, to %s", c.Instance, ship, c.Ship)
			case was.Instance == c.Instance:
				return fmt.Sprintf("%s on %s was removed by hand", c.Instance, ship), ""
			}
		}
	}
	return "", at + " is new there"
}

// container is one of those that were observed.
func (v view) container(id string) deployer.Container {
	i := slices.IndexFunc(v.have.Containers, func(c deployer.Container) bool { return c.ID == id })
	if i < 0 {
		return deployer.Container{}
	}
	return v.have.Containers[i]
}
