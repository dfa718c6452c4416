package deployer

import (
	"fmt"
	"time"

	"batuta"
)

// Verb is what a play does to each of its instances.
type Verb string

// The verbs. Status, start, pull and clean go from what is required to what
// requires it, the others the other way.
const (
	PlayStatus  Verb = "status"
	PlayStart   Verb = "start"
	PlayStop    Verb = "stop"
	PlayRestart Verb = "restart"
	PlayKill    Verb = "kill"
	PlayPull    Verb = "pull"
	PlayClean   Verb = "clean"
	PlayLogs    Verb = "logs"
)

// Order is what a person wants done, by hand and at once, to instances of a
// specification. A plan brings a whole environment to what it declares; an
// order does one thing to some of it, as MaestroNG did.
type Order struct {
	Verb   Verb
	Things []string // instances and services; none: everything that is not omitted, with what it requires

	WithDependencies   bool // what the things require, too; of stop, kill and restart: what requires them
	IgnoreDependencies bool // all at once; without things: none but those that are not omitted
	ExpandServices     bool // stop, kill and restart take services
	All                bool // they take no things at all, which means everything

	Containers string // a glob of instances' names, which narrows whatever was chosen; empty: all
	Ships      string // the same, of ships' names

	Concurrency int // containers acted on at once; 0: all, and for restart one of each service

	Refresh        bool          // start, restart: fetch the images even if the ships have some
	Reuse          bool          // start, restart: start the stopped container again rather than make another
	OnlyIfChanged  bool          // restart: what runs with the declared configuration and its image of today is left alone
	StepDelay      time.Duration // restart: before each step but the first
	StopStartDelay time.Duration // restart: between stop and start
	Full           bool          // status: try the ports

	// Source gives the login to an image's registry, and how often to try it;
	// nil: the ship's own, and once.
	Source func(reference string) Source
}

// Source is how images are had from a registry.
type Source struct {
	Login    *Login
	Attempts int              // 0: one
	Again    func(error) bool // whether another attempt may help; nil: never
}

// Play is an order worked out for a specification: what is done to which
// instances, and what waits for what. It is made once and played once.
type Play struct {
	order Order
	spec  Spec
	parts []*part // in the order in which they are shown: those that go first are first
}

// part is an instance in a play.
type part struct {
	Instance
	number int
	needs  []*part // in the play, which this one's instance requires to run
	needed []*part // in the play, which require this one's
}

// Cue is what becomes of one instance in the course of a play.
type Cue struct {
	Instance  batuta.InstanceName `json:"instance"`
	Service   batuta.ServiceName  `json:"service"`
	Ship      batuta.ShipName     `json:"ship"`
	Number    int                 `json:"-"` // of the instance in the play, from 0; -1: a warning about the whole play
	Container string              `json:"container,omitempty"`
	Text      string              `json:"text"`  // one line: pulling… 40%
	Final     bool                `json:"final"` // nothing more comes of this instance
	Err       error               `json:"-"`     // why it is not as it was ordered to be; with Final
}

// String is the cue as a line of a log.
func (c Cue) String() string { return fmt.Sprintf("%s on %s: %s", c.Instance, c.Ship, c.Text) }

// Cues gives each instance of the play once, in the order in which they are
// shown, with nothing done yet.
func (p Play) Cues() []Cue {
	out := make([]Cue, len(p.parts))
	for n, q := range p.parts {
		out[n] = q.cue("", false, nil)
	}
	return out
}

// Verb is what the play does.
func (p Play) Verb() Verb { return p.order.Verb }

func (p *part) cue(text string, final bool, err error) Cue {
	return Cue{Instance: p.Name, Service: p.Service, Ship: p.Ship, Number: p.number, Text: text, Final: final, Err: err}
}

// backward tells whether what requires something goes before it.
func (v Verb) backward() bool { return v == PlayStop || v == PlayKill || v == PlayRestart }
