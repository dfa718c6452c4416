package pipeline

import (
	"slices"
	"time"

	"batuta"
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
