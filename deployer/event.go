package deployer

import (
	"fmt"
	"time"

	"batuta"
)

// Event is something that happened while a plan was applied.
type Event struct {
	At       time.Time           `json:"at"`
	Ship     batuta.ShipName     `json:"ship"`
	Instance batuta.InstanceName `json:"instance"`
	Text     string              `json:"text"`
	Took     time.Duration       `json:"took,omitempty"` // nanoseconds; 0 if it does not matter
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
