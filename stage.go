package batuta

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Stage is the rules by which an environment takes a promotion, as batuta.yml
// says them after the environment's name in promote, and server.yml for an app.
// The zero value has none.
type Stage struct {
	Soak      time.Duration `json:"soak,omitempty" yaml:"soak,omitempty"`           // how long the release has to have been live, healthy, in the environment before
	Approvers []string      `json:"approvers,omitempty" yaml:"approvers,omitempty"` // who may approve; empty: everybody who may deploy there
	Approvals int           `json:"approvals,omitempty" yaml:"approvals,omitempty"` // how many different people have to; 0 is 1
	Windows   []string      `json:"windows,omitempty" yaml:"windows,omitempty"`     // when it may happen, in the form of ParseWindow; empty: always
	Freeze    []string      `json:"freeze,omitempty" yaml:"freeze,omitempty"`       // when it may not, in the form of ParseFreeze
}

// IsZero tells whether there are no rules.
func (s Stage) IsZero() bool {
	return s.Soak == 0 && len(s.Approvers) == 0 && s.Approvals == 0 && len(s.Windows) == 0 && len(s.Freeze) == 0
}

// Faults gives what is wrong with the rules, with the keys that lead there.
func (s Stage) Faults(found func(err error, keys ...string)) {
	switch all := len(s.Approvers); {
	case s.Approvals < 0:
		found(&Error{Kind: Invalid, Message: fmt.Sprintf("%d approvals", s.Approvals), Hint: "write how many people have to approve: 2"}, "approvals")
	case all > 0 && s.Approvals > all:
		found(&Error{Kind: Invalid, Message: fmt.Sprintf("%d approvals of %d approvers", s.Approvals, all), Hint: "ask for fewer, or name more"}, "approvals")
	}
	for i, name := range s.Approvers {
		switch {
		case CheckName(name) != nil:
			found(&Error{Kind: Invalid, Message: fmt.Sprintf("%q cannot be a person of the server", name), Hint: "write one of people in server.yml: [ada, eva]"}, "approvers", strconv.Itoa(i))
		case slices.Contains(s.Approvers[:i], name):
			found(&Error{Kind: Invalid, Message: name + " stands twice", Hint: "whoever approves counts once: remove one"}, "approvers", strconv.Itoa(i))
		}
	}
	for i, w := range s.Windows {
		if _, err := ParseWindow(w); err != nil {
			found(err, "windows", strconv.Itoa(i))
		}
	}
	for i, f := range s.Freeze {
		if _, err := ParseFreeze(f); err != nil {
			found(err, "freeze", strconv.Itoa(i))
		}
	}
}
