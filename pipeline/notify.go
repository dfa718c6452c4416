package pipeline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"batuta"
	"batuta/internal/document"
)

// readNotify reads notify: whom server.yml names is told of what. A rule that
// does not say of what is about all topics.
func readNotify(doc *document.Document, at document.Path, rules []batuta.NotifyRule, order []batuta.EnvironmentName, in setting) []batuta.NotifyRule {
	var read []batuta.NotifyRule
	for i, r := range rules {
		here := at.At(strconv.Itoa(i))
		in.checkListener(doc, here.At("to"), r.To)
		for n, topic := range r.On {
			if !slices.Contains(batuta.Topics(), topic) {
				doc.Problem(here.At("on", strconv.Itoa(n)), fmt.Sprintf("no topic %q", topic), document.Suggest(string(topic), texts(batuta.Topics())))
			}
		}
		for n, env := range r.Environments {
			in.checkEnvironment(doc, here.At("environments", strconv.Itoa(n)), env, order)
		}
		checkPatterns(doc, here.At("branches"), nameBranch, r.Branches)
		if len(r.On) == 0 {
			r.On = batuta.Topics()
		}
		read = append(read, r)
	}
	return read
}

// checkListener finds fault with who is to be told.
func (in setting) checkListener(doc *document.Document, at document.Path, name string) {
	switch {
	case name == "":
		doc.Problem(at, "to is missing", "write the name that server.yml gives to who is told")
	case in.app == nil || slices.Contains(in.app.Listeners, name):
	case len(in.app.Listeners) == 0:
		doc.Problem(at, fmt.Sprintf("server.yml names nobody whom %s may have told", in.app.Name), "give an entry of notify there a name")
	default:
		hint := document.Suggest(name, in.app.Listeners)
		if !strings.HasPrefix(hint, "known") {
			hint += " known here: " + strings.Join(in.app.Listeners, ", ")
		}
		doc.Problem(at, fmt.Sprintf("server.yml names no %q whom %s may have told", name, in.app.Name), hint)
	}
}

// checkEnvironment finds fault with an environment that a rule is about: it
// stands in promote or, if the tree is at hand, has a document.
func (in setting) checkEnvironment(doc *document.Document, at document.Path, env batuta.EnvironmentName, order []batuta.EnvironmentName) {
	if err := batuta.CheckLabel(string(env)); err != nil {
		problem(doc, at, err)
		return
	}
	if in.tree == nil || slices.Contains(order, env) {
		return
	}
	if _, err := fs.Stat(in.tree, EnvironmentFile(env)); err != nil {
		doc.Problem(at, fmt.Sprintf("no environment %q: it is not in promote, and there is no %s", env, EnvironmentFile(env)), document.Suggest(string(env), texts(order)))
	}
}

// Told is somebody whom batuta.yml has told of an event.
type Told struct {
	To    string         `json:"to"` // the name in server.yml
	App   batuta.AppName `json:"app"`
	Topic batuta.Topic   `json:"topic"`
}

// RuleBook is the rules of an app by which an event is told.
type RuleBook struct {
	App         batuta.AppName
	Environment batuta.EnvironmentName // that an event is about which does not say so itself; empty: none
	Rules       []batuta.NotifyRule
}

// RuleBookOf is the rules of the recipe that a run read, by what its ReadStep
// returned. What an older binary left may be in another form: that has none, as
// nothing that is told stands in the way of a run.
func RuleBookOf(run batuta.Run, output []byte) RuleBook {
	var b struct {
		Recipe struct {
			Promote []batuta.EnvironmentName `json:"promote"`
			Notify  []batuta.NotifyRule      `json:"notify"`
		} `json:"recipe"`
	}
	if err := json.Unmarshal(output, &b); err != nil {
		return RuleBook{App: run.App}
	}
	return RuleBook{App: run.App, Environment: goal(run, b.Recipe.Promote), Rules: b.Recipe.Notify}
}

// RuleBookBy is the rules of a release, for a run that it made or deploys, or
// that has read none of its own.
func RuleBookBy(run batuta.Run, r batuta.Release) RuleBook {
	return RuleBook{App: run.App, Environment: goal(run, r.Order), Rules: r.Notify}
}

// goal is where a run deploys, or is about to; empty if it does nowhere.
func goal(run batuta.Run, order []batuta.EnvironmentName) batuta.EnvironmentName {
	if run.Environment != "" || run.Push.Pull != nil || len(order) == 0 {
		return run.Environment
	}
	return order[0]
}

// Tells lists those whom the rules have told of a notice, each once, with the
// first of its topics that a rule names.
func (b RuleBook) Tells(n Notice) []Told {
	var all []Told
	for _, topic := range n.Topics() {
		for _, r := range b.Rules {
			if !slices.Contains(r.On, topic) || !b.covers(r, n) || slices.ContainsFunc(all, func(t Told) bool { return t.To == r.To }) {
				continue
			}
			all = append(all, Told{To: r.To, App: b.App, Topic: topic})
		}
	}
	return all
}

// covers tells whether a rule is about where a notice is from.
func (b RuleBook) covers(r batuta.NotifyRule, n Notice) bool {
	if len(r.Environments) > 0 && !slices.Contains(r.Environments, cmp.Or(n.Environment, b.Environment)) {
		return false
	}
	if len(r.Branches) == 0 || n.RunKind != batuta.RunPush || n.Ref == "" { // a run by hand of the default branch does not know its name
		return true
	}
	branch, isBranch := strings.CutPrefix(n.Ref, "refs/heads/")
	return (isBranch || !strings.HasPrefix(n.Ref, "refs/")) && chosen(r.Branches, branch)
}
