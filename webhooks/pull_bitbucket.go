package webhooks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// cloudEnd is one of the two ends of a pull request of Bitbucket Cloud, whose
// hashes are short ones.
type cloudEnd struct {
	Branch struct {
		Name string `json:"name"`
	} `json:"branch"`
	Repository *place `json:"repository"` // null once a fork is deleted
}

// readBitbucketPull reads pullrequest:created and pullrequest:updated.
func readBitbucketPull(event string, payload []byte) (Event, error) {
	var sent struct {
		Actor struct {
			Nickname string `json:"nickname"`
			Name     string `json:"display_name"`
		} `json:"actor"`
		Pull struct {
			Number int      `json:"id"`
			Title  string   `json:"title"`
			From   cloudEnd `json:"source"`
			To     cloudEnd `json:"destination"`
		} `json:"pullrequest"`
		Repository struct {
			Links struct {
				HTML struct {
					Href string `json:"href"`
				} `json:"html"`
			} `json:"links"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	r := sent.Pull
	if event != "pullrequest:created" && event != "pullrequest:updated" {
		return stale(r.Number, strings.TrimPrefix(event, "pullrequest:")), nil
	}
	p := pull{
		number: r.Number, title: r.Title, source: r.From.Branch.Name, target: r.To.Branch.Name,
		from: r.From.Repository.name(), to: r.To.Repository.name(), sender: cmp.Or(sent.Actor.Nickname, sent.Actor.Name),
	}
	if href := sent.Repository.Links.HTML.Href; href != "" {
		p.clone = href + ".git"
	}
	return p.event()
}

// serverEnd is one of the two ends of a pull request of Bitbucket Data Center.
type serverEnd struct {
	ID         string `json:"id"`
	Latest     string `json:"latestCommit"`
	Repository struct {
		ID int `json:"id"`
	} `json:"repository"`
}

func (e serverEnd) place() string {
	if e.Repository.ID == 0 {
		return ""
	}
	return fmt.Sprint(e.Repository.ID)
}

// readBitbucketServerPull reads pr:opened and pr:from_ref_updated.
func readBitbucketServerPull(event string, payload []byte) (Event, error) {
	var sent struct {
		Actor struct {
			Name string `json:"name"`
		} `json:"actor"`
		Pull struct {
			Number int       `json:"id"`
			Title  string    `json:"title"`
			From   serverEnd `json:"fromRef"`
			To     serverEnd `json:"toRef"`
		} `json:"pullRequest"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	r := sent.Pull
	if event != "pr:opened" && event != "pr:from_ref_updated" {
		return stale(r.Number, strings.TrimPrefix(event, "pr:")), nil
	}
	return pull{
		number: r.Number, title: r.Title, source: branchOf(r.From.ID), target: branchOf(r.To.ID), head: r.From.Latest, base: r.To.Latest,
		from: r.From.place(), to: r.To.place(), sender: sent.Actor.Name,
	}.event()
}

// readAzurePull reads git.pullrequest.created and git.pullrequest.updated; see
// https://learn.microsoft.com/azure/devops/service-hooks/events#git.pullrequest.created.
// What was updated may be its title alone; then its code is run once more.
func readAzurePull(kind string, payload []byte) (Event, error) {
	type tip struct {
		ID string `json:"commitId"`
	}
	var sent struct {
		Resource struct {
			Number     int             `json:"pullRequestId"`
			Title      string          `json:"title"`
			Status     string          `json:"status"`
			Source     string          `json:"sourceRefName"`
			Target     string          `json:"targetRefName"`
			Head       tip             `json:"lastMergeSourceCommit"`
			Base       tip             `json:"lastMergeTargetCommit"`
			Fork       json.RawMessage `json:"forkSource"` // absent: it is none
			Repository struct {
				Remote string `json:"remoteUrl"`
			} `json:"repository"`
			By struct {
				Name string `json:"uniqueName"`
			} `json:"createdBy"`
		} `json:"resource"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	r := sent.Resource
	if kind != "git.pullrequest.created" && kind != "git.pullrequest.updated" || r.Status != "active" {
		return stale(r.Number, cmp.Or(r.Status, strings.TrimPrefix(kind, "git.pullrequest."))), nil
	}
	p := pull{
		number: r.Number, title: r.Title, source: branchOf(r.Source), target: branchOf(r.Target), head: r.Head.ID, base: r.Base.ID,
		to: "here", clone: r.Repository.Remote, sender: r.By.Name,
	}
	if len(r.Fork) == 0 || string(r.Fork) == "null" {
		p.from = p.to
	}
	return p.event()
}
