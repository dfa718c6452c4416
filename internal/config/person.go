package config

import (
	"fmt"
	"slices"

	"batuta"
	"batuta/internal/document"
)

// Person is somebody, or some program, who may ask things of the server.
type Person struct {
	Token Secret           `yaml:"token"` // at least MinTokenLength bytes, unlike everybody else's
	May   Right            `yaml:"may"`
	Apps  []batuta.AppName `yaml:"apps"` // empty: all apps
}

// Can tells whether the person has a right on an app. An empty app asks about
// what concerns no single one.
func (p Person) Can(right Right, app batuta.AppName) bool {
	return p.May.covers(right) && (app == "" || len(p.Apps) == 0 || slices.Contains(p.Apps, app))
}

// Right is what a person may do. Each includes those before it.
type Right string

// The rights, from least to most.
const (
	Read   Right = "read"   // see runs, logs, releases, what runs where
	Push   Right = "push"   // push to the Git remote; start, rerun and cancel runs of pushes
	Deploy Right = "deploy" // promote, roll back, deploy; rerun and cancel those
	Admin  Right = "admin"  // everything, the audit trail too
)

var rights = []string{string(Read), string(Push), string(Deploy), string(Admin)}

func (r Right) covers(want Right) bool {
	have, asked := slices.Index(rights, string(r)), slices.Index(rights, string(want))
	return asked >= 0 && have >= asked
}

// UnmarshalDocument takes one of the four words.
func (r *Right) UnmarshalDocument(n document.Node) error {
	text, _ := n.Scalar()
	if !slices.Contains(rights, text) {
		n.Problem(fmt.Sprintf("no right %q", text), document.Suggest(text, rights))
	}
	*r = Right(text)
	return nil
}
