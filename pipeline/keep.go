package pipeline

import (
	"context"
	"maps"
	"slices"

	"batuta"
	"batuta/deployer"
)

// keep says which images may go from the ships after a deployment: those that
// the app built, but for what it may go back to in any of its environments,
// which share the ships.
func (p *Pipeline) keep(ctx context.Context, app App, want *deployer.Spec, r batuta.Release) error {
	own := map[string]bool{}
	for _, image := range r.Images {
		own[image.Repository] = true
	}
	environments, err := p.Store.Deployed(ctx, app.Name)
	if err != nil {
		return err
	}
	kept := map[batuta.ReleaseNumber]bool{r.Number: true}
	for _, env := range environments {
		here := map[batuta.ReleaseNumber]bool{}
		if env == want.Scope.Environment {
			here[r.Number] = true // it is the live one when images go
		}
		if err := p.lastReleases(ctx, app, env, here); err != nil {
			return err
		}
		maps.Copy(kept, here)
	}
	for _, number := range slices.Sorted(maps.Keys(kept)) {
		old, err := p.Store.Release(ctx, app.Name, number)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(old.Images)) {
			want.Keep = append(want.Keep, old.Images[name])
		}
	}
	want.Own = slices.Sorted(maps.Keys(own))
	return nil
}

// lastReleases adds the last releases that were live in an environment, until
// there are as many as the app keeps.
func (p *Pipeline) lastReleases(ctx context.Context, app App, env batuta.EnvironmentName, here map[batuta.ReleaseNumber]bool) error {
	history, err := p.Store.Deployments(ctx, app.Name, env, historyLimit)
	if err != nil {
		return err
	}
	for _, d := range history { // newest first
		if d.Status == batuta.Live && len(here) < max(app.Keep, 1) {
			here[d.Release] = true
		}
	}
	return nil
}
