package pipeline

import (
	"fmt"
	"slices"

	"batuta"
	"batuta/internal/document"
)

// stageFile is an entry of promote: an environment's name, or a mapping with
// its name and the rules by which it takes a promotion.
type stageFile struct {
	To           string `yaml:"to"`
	batuta.Stage `yaml:",inline"`
}

var _ document.Unmarshaler = (*stageFile)(nil)

// UnmarshalDocument reads either form.
func (s *stageFile) UnmarshalDocument(n document.Node) error {
	if name, ok := n.Scalar(); ok {
		s.To = name
		return nil
	}
	type plain stageFile
	return n.Decode((*plain)(s))
}

// MarshalYAML writes the name alone where there are no rules.
func (s stageFile) MarshalYAML() (any, error) {
	type plain stageFile
	if s.IsZero() {
		return s.To, nil
	}
	return plain(s), nil
}

// readOrder reads promote: the environments in their order, and their rules.
func readOrder(doc *document.Document, at document.Path, stages []stageFile, floors map[batuta.EnvironmentName]batuta.Stage) ([]batuta.EnvironmentName, map[batuta.EnvironmentName]batuta.Stage) {
	if len(stages) == 0 {
		doc.Problem(at, "promote is missing", "list the environments in their order: promote: [qa, production]")
	}
	var order []batuta.EnvironmentName
	var rules map[batuta.EnvironmentName]batuta.Stage
	for i, s := range stages {
		env, here := batuta.EnvironmentName(s.To), at.At(fmt.Sprint(i))
		if s.To == "" {
			doc.Problem(here, "an environment without a name", "write qa, or {to: production} and its rules")
		} else if err := batuta.CheckLabel(s.To); err != nil {
			problem(doc, here, err)
		} else if slices.Contains(order, env) {
			doc.Problem(here, s.To+" stands twice", "a release goes to an environment once: remove one")
		}
		order = append(order, env)
		if r := s.Stage; !r.IsZero() {
			checkStage(doc, here, i, terms{env, r, floors[env]})
			if rules == nil {
				rules = map[batuta.EnvironmentName]batuta.Stage{}
			}
			rules[env] = r
		}
	}
	return order, rules
}

// checkStage finds fault with the rules of a stage, and with what they come to
// beside those of server.yml.
func checkStage(doc *document.Document, at document.Path, place int, t terms) {
	if place == 0 {
		doc.Problem(at, "a push deploys to the first environment: nothing is promoted to it", "give the rules to a later one")
	}
	t.own.Faults(func(err error, keys ...string) { problem(doc, at.At(keys...), err) })
	if need, all := t.approvals(), len(t.approvers()); all > 0 && need > all && (need > t.own.Approvals || all != len(t.own.Approvers)) {
		doc.Problem(at, fmt.Sprintf("%d approvals of %d approvers, with what server.yml says of %s", need, all, t.env), "ask for fewer, or leave it to server.yml")
	}
}
