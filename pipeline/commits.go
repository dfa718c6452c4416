package pipeline

import (
	"context"

	"batuta"
	"batuta/deployer"
)

// commitsShown bounds how many commits a plan lists.
const commitsShown = 20

// commits is what the revision of a release has that the current one's has not,
// as far as it is known here. A plan does what it does without them, too.
func (p *Pipeline) commits(ctx context.Context, app App, current batuta.ReleaseNumber, r batuta.Release) []deployer.Commit {
	if p.Commits == nil || current == 0 || current == r.Number {
		return nil
	}
	before, err := p.Store.Release(ctx, app.Name, current)
	if err != nil {
		p.Log.Error("look up the commits of a plan", "app", app.Name, "err", err)
		return nil
	}
	between, err := p.Commits.Between(ctx, app.Repository, before.Revision, r.Revision, commitsShown)
	if err != nil {
		p.Log.Error("look up the commits of a plan", "app", app.Name, "err", app.redact(err.Error()))
	}
	var out []deployer.Commit
	for _, c := range between {
		out = append(out, deployer.Commit{Revision: c.Revision, Author: c.Author, Message: c.Headline})
	}
	return out
}
