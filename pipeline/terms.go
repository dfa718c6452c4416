package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"batuta"
)

// terms are the rules by which an environment takes a promotion: those of the
// release that is promoted and those of server.yml, which no repository can
// loosen. Both hold.
type terms struct {
	env   batuta.EnvironmentName
	own   batuta.Stage // of the release's batuta.yml
	floor batuta.Stage // of server.yml
}

func (a App) terms(r batuta.Release, env batuta.EnvironmentName) terms {
	return terms{env, r.Stages[env], a.Floors[env]}
}

// soak is how long the release has to have been live before.
func (t terms) soak() time.Duration { return max(t.own.Soak, t.floor.Soak) }

// approvals is how many different people have to approve.
func (t terms) approvals() int { return max(t.own.Approvals, t.floor.Approvals, 1) }

// approvers are those who may approve; empty: everybody who may deploy. They
// are those whom both lists have or, where these are not as many as it needs,
// those of server.yml.
func (t terms) approvers() []string {
	if len(t.floor.Approvers) == 0 {
		return t.own.Approvers
	}
	if len(t.own.Approvers) == 0 {
		return t.floor.Approvers
	}
	both := slices.DeleteFunc(slices.Clone(t.floor.Approvers), func(name string) bool { return !slices.Contains(t.own.Approvers, name) })
	if len(both) < t.approvals() {
		return t.floor.Approvers
	}
	return both
}

// approved tells whether only what a person approved is taken.
func (t terms) approved() bool {
	return max(t.own.Approvals, t.floor.Approvals) > 0 || len(t.approvers()) > 0
}

// mayApprove tells why a person's yes does not count.
func (t terms) mayApprove(by string) error {
	all := t.approvers()
	if len(all) == 0 || slices.Contains(all, by) {
		return nil
	}
	return &batuta.Error{Kind: batuta.Denied, Message: fmt.Sprintf("%s is not among those who approve what goes to %s", by, t.env), Hint: "they are " + strings.Join(all, ", ")}
}

// enough tells whether these people's yes will do. Of who may not approve any
// more it does not count.
func (t terms) enough(people []string) bool {
	count := 0
	for _, name := range people {
		if t.mayApprove(name) == nil {
			count++
		}
	}
	return count >= t.approvals()
}

// open tells why the environment takes nothing at an instant.
func (t terms) open(at time.Time) error {
	for _, rules := range []batuta.Stage{t.floor, t.own} {
		if err := open(rules, t.env, at); err != nil {
			return err
		}
	}
	return nil
}

// open tells why an environment takes nothing at an instant, by some rules.
func open(s batuta.Stage, env batuta.EnvironmentName, at time.Time) error {
	for _, text := range s.Freeze {
		if f, err := batuta.ParseFreeze(text); err == nil && f.Contains(at) {
			return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("%s is frozen: %s", env, text), Hint: "a rollback is possible all the same"}
		}
	}
	if len(s.Windows) == 0 {
		return nil
	}
	for _, text := range s.Windows {
		if w, err := batuta.ParseWindow(text); err == nil && w.Contains(at) {
			return nil
		}
	}
	return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("%s takes promotions only at its times: %s", env, strings.Join(s.Windows, ", ")), Hint: "a rollback is possible all the same"}
}

// Term is one rule in force by which an environment takes promotions.
type Term struct {
	Environment batuta.EnvironmentName `json:"environment"`
	Rule        string                 `json:"rule"` // soak, approvers, approvals, windows, freeze
	Value       string                 `json:"value"`
	From        string                 `json:"from"` // the file, or both, that it comes from
}

// String is the rule on one line, for people.
func (t Term) String() string {
	return fmt.Sprintf("%s takes a promotion by %s: %s (%s)", t.Environment, t.Rule, t.Value, t.From)
}

// list is the rules in force, each with the file that it comes from.
func (t terms) list() []Term {
	var all []Term
	add := func(rule, value, from string) { all = append(all, Term{t.env, rule, value, from}) }
	if t.soak() > 0 {
		add("soak", t.soak().String(), source(t.own.Soak == t.soak(), t.floor.Soak == t.soak()))
	}
	if who := t.approvers(); len(who) > 0 {
		own := len(t.own.Approvers) > 0 && !slices.ContainsFunc(who, func(name string) bool { return !slices.Contains(t.own.Approvers, name) })
		add("approvers", strings.Join(who, ", "), source(own, len(t.floor.Approvers) > 0))
	}
	if t.approved() {
		add("approvals", fmt.Sprint(t.approvals()), source(t.own.Approvals == t.approvals(), t.floor.Approvals == t.approvals()))
	}
	for _, file := range []struct {
		name string
		batuta.Stage
	}{{RecipeFile, t.own}, {serverFile, t.floor}} {
		if len(file.Windows) > 0 {
			add("windows", strings.Join(file.Windows, ", "), file.name)
		}
		if len(file.Freeze) > 0 {
			add("freeze", strings.Join(file.Freeze, ", "), file.name)
		}
	}
	return all
}

// serverFile is how people call the server's configuration.
const serverFile = "server.yml"

// source is where a rule comes from that either file says, or both, or none.
func source(own, floor bool) string {
	switch {
	case own && floor:
		return RecipeFile + " and " + serverFile
	case own:
		return RecipeFile
	case floor:
		return serverFile
	}
	return "the default"
}
