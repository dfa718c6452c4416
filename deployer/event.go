package deployer

import (
	"fmt"
	"time"

	"batuta"
)

// EventKind is what happened to an instance.
type EventKind string

// The kinds of events. An event without a kind is a remark.
const (
	Created  EventKind = "created"
	Started  EventKind = "started"
	Ready    EventKind = "ready"
	Unready  EventKind = "unready"
	Stopped  EventKind = "stopped"  // because somebody wanted it
	Crashed  EventKind = "crashed"  // by itself
	Replaced EventKind = "replaced" // it serves no more; another container does its work
	Removed  EventKind = "removed"
)

// Event is something that happened to an instance, or on the way to it.
type Event struct {
	At        time.Time            `json:"at"`
	Kind      EventKind            `json:"kind,omitempty"`
	Ship      batuta.ShipName      `json:"ship"`
	Service   batuta.ServiceName   `json:"service,omitempty"`
	Instance  batuta.InstanceName  `json:"instance"`
	Container string               `json:"container,omitempty"` // Docker's id
	Release   batuta.ReleaseNumber `json:"release,omitempty"`
	ExitCode  int                  `json:"exit_code,omitempty"` // of Crashed
	Text      string               `json:"text"`
	Took      time.Duration        `json:"took,omitempty"` // nanoseconds; 0 if it does not matter
}

// String is the event as a line of a log: web-1 on node1: ready (412ms).
func (e Event) String() string {
	line := fmt.Sprintf("%s on %s: %s", e.Instance, e.Ship, e.Text)
	if e.Took > 0 {
		line += fmt.Sprintf(" (%s)", e.Took.Round(time.Millisecond))
	}
	return line
}

func (r *rollout) say(ship batuta.ShipName, i batuta.InstanceName, text string, took time.Duration) {
	if r.log == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log(Event{At: time.Now(), Ship: ship, Instance: i, Text: text, Took: took})
}
