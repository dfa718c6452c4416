package batuta

import "time"

// Stage is the rules by which an environment takes a promotion, as batuta.yml
// says them after the environment's name in promote. The zero value has none.
type Stage struct {
	Soak      time.Duration `json:"soak,omitempty"`      // how long the release has to have been live, healthy, in the environment before
	Approvers []string      `json:"approvers,omitempty"` // who may approve; empty: everybody who may deploy there
	Approvals int           `json:"approvals,omitempty"` // how many different people have to; 0 is 1
	Windows   []string      `json:"windows,omitempty"`   // when it may happen: "Mon-Fri 08:00-16:00 Europe/Berlin"; empty: always
	Freeze    []string      `json:"freeze,omitempty"`    // when it may not: "2026-12-20..2027-01-06 Europe/Berlin", both days included
}

// IsZero tells whether there are no rules.
func (s Stage) IsZero() bool {
	return s.Soak == 0 && len(s.Approvers) == 0 && s.Approvals == 0 && len(s.Windows) == 0 && len(s.Freeze) == 0
}
