package notify

import "context"

// GitHub is github.com or GitHub Enterprise Server. The API is described in
// https://docs.github.com/en/rest/commits/statuses.
type GitHub struct{ Repository }

var _ Reporter = GitHub{}

// Report needs a token that may write commit statuses.
func (g GitHub) Report(ctx context.Context, s Status) error {
	api := g.URL + "/api/v3"
	if g.URL == "https://github.com" {
		api = "https://api.github.com"
	}
	owner, name := g.split()
	header := g.bearer()
	header.Set("Accept", "application/vnd.github+json")
	header.Set("X-GitHub-Api-Version", "2022-11-28")
	_, err := g.report(ctx, at(api, "repos", owner, name, "statuses", string(s.Revision)), header, conventional(s))
	return err
}

// conventionalStatus is what GitHub takes, and after it Gitea and Forgejo.
type conventionalStatus struct {
	State       string `json:"state"`
	TargetURL   string `json:"target_url"`
	Description string `json:"description"`
	Context     string `json:"context"`
}

func conventional(s Status) conventionalStatus {
	state := map[State]string{
		Waiting: "pending", Running: "pending", Succeeded: "success", Skipped: "success", Failed: "failure", Stopped: "error",
	}[s.State]
	return conventionalStatus{State: state, TargetURL: s.URL, Description: s.headline(), Context: s.Context}
}
