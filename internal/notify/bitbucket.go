package notify

import (
	"context"
	"strings"
)

// Bitbucket is Bitbucket Cloud. The API is described in
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/.
type Bitbucket struct{ Repository }

var _ Reporter = Bitbucket{}

// build is what Bitbucket calls a status, Cloud's and Data Center's.
type build struct {
	Key         string `json:"key"`
	State       string `json:"state"`
	Name        string `json:"name"`
	URL         string `json:"url"`
	Description string `json:"description"`
	RefName     string `json:"refname,omitempty"` // Cloud's
	Ref         string `json:"ref,omitempty"`     // Data Center's
}

func buildOf(s Status, stopped string) build {
	state := map[State]string{
		Waiting: "INPROGRESS", Running: "INPROGRESS", Succeeded: "SUCCESSFUL", Skipped: "SUCCESSFUL", Failed: "FAILED", Stopped: stopped,
	}[s.State]
	return build{Key: s.Context, State: state, Name: s.Context, URL: s.URL, Description: s.headline()}
}

// Report needs an access token with the scope repository, or a user and an
// API token.
func (b Bitbucket) Report(ctx context.Context, s Status) error {
	api := b.URL
	if b.URL == "https://bitbucket.org" {
		api = "https://api.bitbucket.org"
	}
	workspace, name := b.split()
	body := buildOf(s, "STOPPED")
	body.RefName = s.branch()
	_, err := b.report(ctx, at(api+"/2.0", "repositories", workspace, name, "commit", string(s.Revision), "statuses", "build"), b.bearer(), body)
	return err
}

// BitbucketServer is Bitbucket Data Center. The API is described in
// https://developer.atlassian.com/server/bitbucket/rest/ (Builds and
// Deployments), and there from 7.4 on.
type BitbucketServer struct{ Repository }

var _ Reporter = BitbucketServer{}

// Report needs an HTTP access token that may read the repository. It has no
// word for what was stopped that every version knows, so that is a failure.
func (b BitbucketServer) Report(ctx context.Context, s Status) error {
	project, name := b.split()
	body := buildOf(s, "FAILED")
	if strings.HasPrefix(s.Ref, "refs/") {
		body.Ref = s.Ref
	}
	_, err := b.report(ctx, at(b.URL+"/rest/api/latest", "projects", project, "repos", name, "commits", string(s.Revision), "builds"), b.bearer(), body)
	return err
}
