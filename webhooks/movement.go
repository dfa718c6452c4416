package webhooks

import (
	"fmt"
	"slices"
	"strings"

	"batuta"
)

// movement is what forges say in common about a ref that moved.
type movement struct {
	Ref        string   `json:"ref"`
	Before     string   `json:"before"`
	After      string   `json:"after"`
	Deleted    bool     `json:"deleted"`
	Head       *commit  `json:"head_commit"` // null for a deletion; for an annotated tag the commit, where after is the tag
	Commits    []commit `json:"commits"`
	Repository struct {
		Clone  string `json:"clone_url"`
		Pushed moment `json:"pushed_at"` // GitHub's, when this happened
	} `json:"repository"`
}

type commit struct {
	ID       string   `json:"id"`
	Message  string   `json:"message"`
	Added    []string `json:"added"`
	Modified []string `json:"modified"`
	Removed  []string `json:"removed"`
}

// event makes an event of the one movement.
func (m movement) event(sender string) (Event, error) {
	if m.Before == m.After && full(m.After) != "" {
		return ignored("a test: the push moves nothing, and the webhook works"), nil
	}
	move, err := m.move(sender)
	if err != nil {
		return Event{}, err
	}
	move.Paths = paths(m.Commits)
	return Event{Moves: []Move{move}, Clone: clean(m.Repository.Clone, asRead)}, nil
}

// move reads where the ref moved to.
func (m movement) move(sender string) (Move, error) {
	if err := checkRef(m.Ref); err != nil {
		return Move{}, err
	}
	p := batuta.Push{Ref: m.Ref, Revision: batuta.Revision(m.After), Sender: clean(sender, asRead)}
	tag := strings.HasPrefix(m.Ref, "refs/tags/")
	if m.Head != nil {
		p.Message = subject(m.Head.Message)
		if tag && m.Head.ID != "" {
			p.Revision = batuta.Revision(m.Head.ID)
		}
	}
	if err := batuta.CheckRevision(m.Before); err != nil && m.Before != "" {
		return Move{}, fmt.Errorf("before: %w", err)
	}
	p.Before = full(m.Before)
	if m.Deleted || zero(m.After) {
		p.Revision = ""
		return Move{Push: p, Ignored: clean(m.Ref, asRead) + " was deleted"}, nil
	}
	for _, hash := range []string{m.After, string(p.Revision)} { // of an annotated tag two
		if err := batuta.CheckRevision(hash); err != nil {
			return Move{}, fmt.Errorf("after: %w, nor the 40 zeros of what was deleted", err)
		}
	}
	if !tag && !strings.HasPrefix(m.Ref, "refs/heads/") {
		return Move{Push: p, Ignored: clean(m.Ref, asRead) + " is neither a branch nor a tag"}, nil
	}
	return Move{Push: p}, nil
}

// maxPaths bounds what is kept of a forge's lists of files.
const maxPaths = 200

// paths are the files that the commits name.
func paths(commits []commit) []string {
	var out []string
	for _, c := range commits {
		for _, path := range slices.Concat(c.Added, c.Modified, c.Removed) {
			if len(out) < 10*maxPaths {
				out = append(out, clean(path, asRead))
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxPaths)]
}
