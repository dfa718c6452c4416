package webhooks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"batuta"
)

// pull is what forges say in common about a pull request, or a merge request.
type pull struct {
	number         int
	title          string
	source, target string // branches, short
	head, base     string // hashes; what is no full one is looked up when it is fetched
	from, to       string // the repositories, as the forge names them; not knowing them is taken for a fork
	clone, sender  string
}

// event makes an event of the pull request. One from a fork starts nothing:
// it is the code of strangers, which nobody here has looked at.
func (p pull) event() (Event, error) {
	for _, branch := range []string{p.source, p.target} {
		if err := checkRef("refs/heads/" + branch); err != nil {
			return Event{}, err
		}
	}
	if p.number < 1 {
		return Event{}, fmt.Errorf("%d is not the number of a pull request", p.number)
	}
	push := batuta.Push{
		Ref: "refs/heads/" + p.source, Before: full(p.base), Revision: full(p.head), Sender: clean(p.sender, asRead), Message: subject(p.title),
		Pull: &batuta.PullRequest{Number: p.number, Source: p.source, Target: p.target, Fork: p.from == "" || p.from != p.to},
	}
	m := Move{Push: push}
	if push.Pull.Fork {
		m.Ignored = fmt.Sprintf("pull request %d comes from a fork, and code of strangers is not run", p.number)
	}
	return Event{Moves: []Move{m}, Clone: clean(p.clone, asRead)}, nil
}

// full is a full commit hash, or nothing.
func full(hash string) batuta.Revision {
	if batuta.CheckRevision(hash) != nil || zero(hash) {
		return ""
	}
	return batuta.Revision(hash)
}

// stale is what became of a pull request where that needs no run: it was
// closed, labelled, reviewed and so on.
func stale(number int, action string) Event {
	return ignored("pull request %d: %q changes none of its code", number, clean(action, asRead))
}

// githubPull is a pull request as GitHub, Gitea, Forgejo and Gogs tell of it.
// See https://docs.github.com/webhooks/webhook-events-and-payloads#pull_request.
type githubPull struct {
	Action string `json:"action"`
	Number int    `json:"number"`
	Pull   struct {
		Title    string `json:"title"`
		Updated  moment `json:"updated_at"`
		Head     *end   `json:"head"`
		Base     *end   `json:"base"`
		HeadName string `json:"head_branch"` // this and the following: Gogs
		BaseName string `json:"base_branch"`
		HeadRepo *place `json:"head_repo"`
		BaseRepo *place `json:"base_repo"`
	} `json:"pull_request"`
	Repository struct {
		Clone string `json:"clone_url"`
	} `json:"repository"`
	Sender struct {
		Login string `json:"login"`
	} `json:"sender"`
}

// end is one of the two ends of a pull request.
type end struct {
	Ref  string `json:"ref"`
	SHA  string `json:"sha"`
	Repo *place `json:"repo"` // null once it is deleted
}

type place struct {
	Name string `json:"full_name"`
}

// readGitHubPull also tells when the pull request was last changed.
func readGitHubPull(payload []byte) (event Event, updated time.Time, err error) {
	var sent githubPull
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, updated, notJSON(err)
	}
	s := sent.Pull
	if !slices.Contains([]string{"opened", "reopened", "synchronize", "synchronized"}, sent.Action) {
		return stale(sent.Number, sent.Action), s.Updated.Time, nil
	}
	p := pull{number: sent.Number, title: s.Title, source: s.HeadName, target: s.BaseName, from: s.HeadRepo.name(), to: s.BaseRepo.name(), clone: sent.Repository.Clone, sender: sent.Sender.Login}
	if s.Head != nil && s.Base != nil {
		p.source, p.head, p.from = s.Head.Ref, s.Head.SHA, s.Head.Repo.name()
		p.target, p.base, p.to = s.Base.Ref, s.Base.SHA, s.Base.Repo.name()
	}
	event, err = p.event()
	return event, s.Updated.Time, err
}

func (p *place) name() string {
	if p == nil {
		return ""
	}
	return p.Name
}

// readGitLabMerge reads a merge request; see
// https://docs.gitlab.com/user/project/integrations/webhook_events/#merge-request-events.
// An update has oldrev only if its code changed.
func readGitLabMerge(payload []byte) (Event, error) {
	var sent struct {
		User struct {
			Name string `json:"username"`
		} `json:"user"`
		Project struct {
			Clone string `json:"git_http_url"`
		} `json:"project"`
		Request struct {
			Number int    `json:"iid"`
			Title  string `json:"title"`
			Action string `json:"action"`
			Was    string `json:"oldrev"`
			Source string `json:"source_branch"`
			Target string `json:"target_branch"`
			From   int    `json:"source_project_id"`
			To     int    `json:"target_project_id"`
			Last   commit `json:"last_commit"`
		} `json:"object_attributes"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	r := sent.Request
	if r.Action != "open" && r.Action != "reopen" && (r.Action != "update" || r.Was == "") {
		return stale(r.Number, r.Action), nil
	}
	p := pull{number: r.Number, title: r.Title, source: r.Source, target: r.Target, head: r.Last.ID, to: fmt.Sprint(r.To), clone: sent.Project.Clone, sender: sent.User.Name}
	if r.From != 0 {
		p.from = fmt.Sprint(r.From)
	}
	return p.event()
}

// branchOf is a branch's short name.
func branchOf(ref string) string { return strings.TrimPrefix(ref, "refs/heads/") }
