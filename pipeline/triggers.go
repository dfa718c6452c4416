package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"batuta"
	"batuta/internal/document"
)

// Triggers is what starts a run.
type Triggers struct {
	Push        PushTrigger   `json:"push"`
	PullRequest *PullTrigger  `json:"pull_request,omitempty"` // nil: none starts a run
	Cron        []CronTrigger `json:"cron,omitempty"`
	Registry    []string      `json:"registry,omitempty"` // images, in patterns of doublestar with their registries: one that was pushed starts a run of the default branch; a pattern without a tag means every tag, and ! takes away
	Poll        time.Duration `json:"poll,omitempty"`     // from one look at the repository to the next, where no webhook can reach; 0: none is taken
}

// PushTrigger says which pushes start a run, in patterns of doublestar; one
// that begins with ! takes away what those before it chose.
type PushTrigger struct {
	Branches []string `json:"branches" yaml:"branches"`               // default main and master
	Tags     []string `json:"tags,omitempty" yaml:"tags,omitempty"`   // default none
	Paths    []string `json:"paths,omitempty" yaml:"paths,omitempty"` // of which at least one has to have changed; default any. With ! alone: any but these
}

// PullTrigger says which pull requests are built and tested. They make no
// release.
type PullTrigger struct {
	Branches []string `json:"branches,omitempty" yaml:"branches"`     // that they are to be merged into; default those of push
	Paths    []string `json:"paths,omitempty" yaml:"paths,omitempty"` // as PushTrigger.Paths
}

// CronTrigger starts a run by the clock.
type CronTrigger struct {
	Schedule string `json:"schedule" yaml:"schedule"`           // the five fields of cron, or @daily, @every 6h
	Zone     string `json:"zone" yaml:"zone"`                   // default UTC
	Ref      string `json:"ref,omitempty" yaml:"ref,omitempty"` // branch; default the repository's
	Missed   Missed `json:"missed" yaml:"missed"`
}

// Missed is what becomes of the times at which the server was not there.
type Missed string

// What becomes of missed times.
const (
	MissedOnce Missed = "once" // one run for all of them, as soon as it is there: the default
	MissedSkip Missed = "skip" // none
)

// Wants tells whether a push to the ref starts a run, and if not, why. Which
// paths changed is judged apart, as it takes the source to know.
func (r Recipe) Wants(ref string) (bool, string) {
	if tag, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		return wants("tag", tag, "on.push.tags", r.On.Push.Tags)
	}
	branch, ok := strings.CutPrefix(ref, "refs/heads/")
	if !ok {
		return false, ref + " is neither a branch nor a tag"
	}
	return wants("branch", branch, "on.push.branches", r.On.Push.Branches)
}

func wants(kind, name, key string, patterns []string) (bool, string) {
	if chosen(patterns, name) {
		return true, ""
	}
	return false, fmt.Sprintf("%s %s is not among %s (%s)", kind, name, key, strings.Join(patterns, ", "))
}

// WantsPaths tells whether a push that changed these paths starts a run, and
// if not, why.
func (t PushTrigger) WantsPaths(changed []string) (bool, string) {
	if len(t.Paths) == 0 || slices.ContainsFunc(changed, func(p string) bool { return chosen(t.Paths, p) }) {
		return true, ""
	}
	return false, fmt.Sprintf("nothing changed that is among on.push.paths (%s)", strings.Join(t.Paths, ", "))
}

// WantsPull tells whether a pull request is built and tested, and if not, why.
func (t Triggers) WantsPull(r batuta.PullRequest) (bool, string) {
	switch p := t.PullRequest; {
	case r.Fork:
		return false, fmt.Sprintf("pull request %d comes from a fork", r.Number)
	case p == nil:
		return false, "there is no on.pull_request in " + RecipeFile
	case len(p.Branches) == 0:
		return wants("target", r.Target, "on.push.branches", t.Push.Branches)
	default:
		return wants("target", r.Target, "on.pull_request.branches", p.Branches)
	}
}

// WantsPaths tells whether a pull request that changes these paths is built
// and tested, and if not, why.
func (t PullTrigger) WantsPaths(changed []string) (bool, string) {
	if len(t.Paths) == 0 || slices.ContainsFunc(changed, func(p string) bool { return chosen(t.Paths, p) }) {
		return true, ""
	}
	return false, fmt.Sprintf("nothing changed that is among on.pull_request.paths (%s)", strings.Join(t.Paths, ", "))
}

// chosen tells whether the patterns choose the name: the last that fits says.
// If the first takes away, all was chosen before it.
func chosen(patterns []string, name string) bool {
	hit := len(patterns) > 0 && strings.HasPrefix(patterns[0], "!")
	for _, pattern := range patterns {
		positive, out := strings.CutPrefix(pattern, "!")
		if fits, _ := doublestar.Match(positive, name); fits {
			hit = !out
		}
	}
	return hit
}

// triggersFile is Triggers as people write it.
type triggersFile struct {
	Push        PushTrigger   `yaml:"push"`
	PullRequest *PullTrigger  `yaml:"pull_request,omitempty"`
	Cron        cronFile      `yaml:"cron,omitempty"`
	Registry    []string      `yaml:"registry,omitempty"`
	Poll        time.Duration `yaml:"poll,omitempty"`
}

// cronFile is a schedule, a mapping with one, or a list of either.
type cronFile []CronTrigger

var _ document.Unmarshaler = (*cronFile)(nil)

// UnmarshalDocument reads each form.
func (c *cronFile) UnmarshalDocument(n document.Node) error {
	if n.IsList() {
		var all []cronEntry
		err := n.Decode(&all)
		for _, e := range all {
			*c = append(*c, CronTrigger(e))
		}
		return err
	}
	var one cronEntry
	err := n.Decode(&one)
	*c = cronFile{CronTrigger(one)}
	return err
}

// cronEntry is a schedule, or a mapping with one.
type cronEntry CronTrigger

// UnmarshalDocument reads either form.
func (c *cronEntry) UnmarshalDocument(n document.Node) error {
	if schedule, ok := n.Scalar(); ok {
		c.Schedule = schedule
		return nil
	}
	return n.Decode((*CronTrigger)(c))
}

func defaultBranches() []string { return []string{"main", "master"} }

// leastPoll is how often a repository may be asked.
const leastPoll = 10 * time.Second

// readTriggers fills in the defaults and checks what starts a run.
func readTriggers(doc *document.Document, at document.Path, w triggersFile) Triggers {
	t := Triggers{Push: w.Push, PullRequest: w.PullRequest, Cron: w.Cron, Poll: w.Poll}
	if len(t.Push.Branches) == 0 {
		t.Push.Branches = defaultBranches()
	}
	checkPatterns(doc, at.At("push", "branches"), nameBranch, t.Push.Branches)
	checkPatterns(doc, at.At("push", "tags"), nameTag, t.Push.Tags)
	checkPatterns(doc, at.At("push", "paths"), namePath, t.Push.Paths)
	if p := t.PullRequest; p != nil {
		checkPatterns(doc, at.At("pull_request", "branches"), nameBranch, p.Branches)
		checkPatterns(doc, at.At("pull_request", "paths"), namePath, p.Paths)
		if len(p.Branches) == 0 {
			p.Branches = t.Push.Branches
		}
	}
	for i := range t.Cron {
		here := at.At("cron", fmt.Sprint(i))
		if !doc.Has(here) {
			here = at.At("cron")
		}
		readCron(doc, here, &t.Cron[i])
	}
	t.Registry = readImagePatterns(doc, at.At("registry"), w.Registry)
	if t.Poll != 0 && t.Poll < leastPoll {
		doc.Problem(at.At("poll"), fmt.Sprintf("%s is less than %s", t.Poll, leastPoll), "write 2m")
	}
	return t
}

func readCron(doc *document.Document, at document.Path, c *CronTrigger) {
	if c.Zone == "" {
		c.Zone = "UTC"
	}
	if c.Missed == "" {
		c.Missed = MissedOnce
	}
	if _, err := batuta.ParseZone(c.Zone); err != nil {
		problem(doc, at.At("zone"), err)
	} else if times, err := c.timetable(); err != nil {
		hint := "write minute, hour, day, month and weekday: 0 4 * * *"
		if e, ok := errors.AsType[*batuta.Error](err); ok {
			hint = e.Hint
		}
		doc.Problem(at.At("schedule"), fmt.Sprintf("%q is not a schedule: %v", c.Schedule, err), hint)
	} else if times.next(time.Now()).IsZero() {
		doc.Problem(at.At("schedule"), fmt.Sprintf("%q is never", c.Schedule), "name a day that there is")
	}
	if c.Missed != MissedOnce && c.Missed != MissedSkip {
		doc.Problem(at.At("missed"), fmt.Sprintf("%q is no way to treat missed times", c.Missed), "write once or skip")
	}
	if c.Ref != "" {
		checkBranch(doc, at.At("ref"), c.Ref)
		if !strings.HasPrefix(c.Ref, "refs/") {
			c.Ref = "refs/heads/" + c.Ref
		}
	}
}
