package notify

import (
	"context"
	"net/http"
)

// Gitea is Gitea or Forgejo. The API is described by every server itself, at
// /api/swagger, as repoCreateStatus.
type Gitea struct{ Repository }

var _ Reporter = Gitea{}

// Report needs a token with the scope write:repository.
func (g Gitea) Report(ctx context.Context, s Status) error {
	owner, name := g.split()
	header := http.Header{"Authorization": {"token " + g.Token}, "Accept": {"application/json"}}
	_, err := g.report(ctx, at(g.URL+"/api/v1", "repos", owner, name, "statuses", string(s.Revision)), header, conventional(s))
	return err
}
