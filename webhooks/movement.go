package webhooks

import (
	"encoding/json"
	"errors"
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
		Clone  string          `json:"clone_url"`
		Pushed json.RawMessage `json:"pushed_at"` // GitHub's: when it was pushed to last, which is the push
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
	if m.Before == m.After && m.After != "" && !zero(m.After) {
		return ignored("a test: the push moves nothing, and the webhook works"), nil
	}
	move, err := m.move(sender)
	if err != nil {
		return Event{}, err
	}
	move.Paths = paths(m.Commits)
	return Event{Moves: []Move{move}, Clone: clean(m.Repository.Clone, 500)}, nil
}

// move reads where the ref moved to.
func (m movement) move(sender string) (Move, error) {
	if err := checkRef(m.Ref); err != nil {
		return Move{}, err
	}
	p := batuta.Push{Ref: m.Ref, Revision: batuta.Revision(m.After), Sender: clean(sender, 100)}
	tag := strings.HasPrefix(m.Ref, "refs/tags/")
	if m.Head != nil {
		p.Message = subject(m.Head.Message)
		if tag && m.Head.ID != "" {
			p.Revision = batuta.Revision(m.Head.ID)
		}
	}
	if !zero(m.Before) {
		p.Before = batuta.Revision(m.Before)
	}
	if err := batuta.CheckRevision(string(p.Before)); err != nil && p.Before != "" {
		return Move{}, fmt.Errorf("before: %w", err)
	}
	if m.Deleted || zero(m.After) {
		p.Revision = ""
		return Move{Push: p, Ignored: clean(m.Ref, 200) + " was deleted"}, nil
	}
	if m.After == "" {
		return Move{}, errors.New("the push does not say where the ref is now: after is missing; a deletion has 40 zeros there")
	}
	if err := batuta.CheckRevision(string(p.Revision)); err != nil {
		return Move{}, fmt.Errorf("after: %w", err)
	}
	if !tag && !strings.HasPrefix(m.Ref, "refs/heads/") {
		return Move{Push: p, Ignored: clean(m.Ref, 200) + " is neither a branch nor a tag"}, nil
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
				out = append(out, clean(path, 500))
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxPaths)]
}
