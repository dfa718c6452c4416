package notify

import (
	"bytes"
	"context"
	"net/http"
)

// GitLab is gitlab.com or a GitLab of one's own. The API is described in
// https://docs.gitlab.com/api/commits/#set-commit-pipeline-status.
type GitLab struct{ Repository }

var _ Reporter = GitLab{}

// gitlabStatus is the body of a request.
type gitlabStatus struct {
	State       string `json:"state"`
	Ref         string `json:"ref,omitempty"`
	Name        string `json:"name"`
	TargetURL   string `json:"target_url"`
	Description string `json:"description"`
}

// alreadySo is how GitLab refuses, with 400, the state that a status has.
var alreadySo = []byte("Cannot transition status")

// Report needs a token with the scope api, of a developer or more.
func (g GitLab) Report(ctx context.Context, s Status) error {
	state := map[State]string{
		Waiting: "pending", Running: "running", Succeeded: "success", Skipped: "success", Failed: "failed", Stopped: "canceled",
	}[s.State]
	answer, err := g.report(ctx, at(g.URL+"/api/v4", "projects", g.Path, "statuses", string(s.Revision)),
		http.Header{"Private-Token": {g.Token}},
		gitlabStatus{State: state, Ref: s.branch(), Name: s.Context, TargetURL: s.URL, Description: s.headline()})
	if err != nil && bytes.Contains(answer, alreadySo) {
		return nil
	}
	return err
}
