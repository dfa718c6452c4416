package deployer

import (
	"errors"
	"fmt"
	"strings"
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
	line := e.Text // of the whole deployment
	if e.Ship != "" {
		line = fmt.Sprintf("%s on %s: %s", e.Instance, e.Ship, e.Text)
	}
	if e.Took > 0 {
		line += fmt.Sprintf(" (%s)", e.Took.Round(time.Millisecond))
	}
	return line
}

// tell gives the log an event, one at a time.
func (r *rollout) tell(e Event) {
	if r.log == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.At = time.Now()
	r.log(e)
}

// say tells of the container that a task brings.
func (r *rollout) say(t *task, kind EventKind, text string, took time.Duration) {
	r.tell(Event{
		Kind: kind, Ship: t.Ship, Service: t.Service, Instance: t.Instance, Container: t.id, Release: r.plan.Release, Text: text, Took: took,
	})
}

// sayOf tells of a container that was there before.
func (r *rollout) sayOf(c Container, kind EventKind, text string) {
	r.tell(Event{
		Kind: kind, Ship: c.Ship, Service: c.Service, Instance: c.Instance, Container: c.ID, Release: c.Release, Text: text,
	})
}

// sayFailed tells what became of the container that a task brought.
func (r *rollout) sayFailed(t *task, err error) {
	line, _, _ := strings.Cut(err.Error(), "\n")
	e := Event{
		Ship: t.Ship, Service: t.Service, Instance: t.Instance, Container: t.id, Release: r.plan.Release, Text: line,
	}
	if c, crashed := errors.AsType[*crash](err); crashed {
		e.Kind, e.ExitCode = Crashed, c.Code
	} else if errors.Is(err, batuta.Unhealthy) {
		e.Kind = Unready
	}
	r.tell(e)
}
