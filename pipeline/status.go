package pipeline

import (
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/deployer"
)

// statusAtOnce bounds how many environments are asked at the same time.
const statusAtOnce = 16

// Status is every environment of an app, or of all apps if app is empty, in
// the order of names and of promotion.
func (p *Pipeline) Status(ctx context.Context, app batuta.AppName) ([]EnvironmentStatus, error) {
	scopes, err := p.scopes(ctx, app)
	if err != nil {
		return nil, err
	}
	all := make([]EnvironmentStatus, len(scopes))
	var group errgroup.Group
	group.SetLimit(statusAtOnce)
	for i, s := range scopes {
		group.Go(func() (err error) {
			all[i], err = p.environment(ctx, p.Apps[s.App], s.Environment)
			return err
		})
	}
	return all, group.Wait()
}

// scopes is every environment of an app, or of all apps if app is empty, in
// the order of names and of promotion.
func (p *Pipeline) scopes(ctx context.Context, app batuta.AppName) ([]deployer.Scope, error) {
	apps := slices.Sorted(maps.Keys(p.Apps))
	if app != "" {
		if _, err := p.app(app); err != nil {
			return nil, err
		}
		apps = []batuta.AppName{app}
	}
	var all []deployer.Scope
	for _, name := range apps {
		environments, err := p.environments(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, env := range environments {
			all = append(all, scope(name, env))
		}
	}
	return all, nil
}

// environments is those of the newest release in their order, and then those
// that were deployed to and are not declared any more.
func (p *Pipeline) environments(ctx context.Context, app batuta.AppName) ([]batuta.EnvironmentName, error) {
	newest, err := p.Store.Releases(ctx, app, 1)
	if err != nil {
		return nil, err
	}
	deployed, err := p.Store.Deployed(ctx, app)
	if err != nil {
		return nil, err
	}
	var all []batuta.EnvironmentName
	if len(newest) > 0 {
		all = slices.Clone(newest[0].Order)
	}
	for _, env := range deployed {
		if !slices.Contains(all, env) {
			all = append(all, env)
		}
	}
	return all, nil
}

// environment is what one environment is meant to run and what it runs.
func (p *Pipeline) environment(ctx context.Context, app App, env batuta.EnvironmentName) (EnvironmentStatus, error) {
	s := EnvironmentStatus{App: app.Name, Environment: env}
	last, err := p.Store.Deployments(ctx, app.Name, env, 1)
	if err != nil {
		return s, err
	}
	if len(last) > 0 {
		s.Last = &last[0]
	}
	have := p.Fleet.Observe(ctx, scope(app.Name, env))
	s.Containers, s.Unreachable = p.Fleet.Show(have), slices.Sorted(maps.Keys(have.Unreachable))
	live, err := p.Store.Current(ctx, app.Name, env)
	if errors.Is(err, batuta.NotFound) {
		s.Reason = "nothing is live"
		return s, nil
	} else if err != nil {
		return s, err
	}
	release, err := p.Store.Release(ctx, app.Name, live.Release)
	if err != nil {
		return s, err
	}
	s.Release, s.Revision, s.Since = live.Release, release.Revision, live.Ended
	s.Healthy, s.Reason = p.health(ctx, app, release, env, have)
	return s, nil
}

// health tells whether the environment runs exactly what the release wants
// there, and every check passes now.
func (p *Pipeline) health(ctx context.Context, app App, r batuta.Release, env batuta.EnvironmentName, have deployer.State) (bool, string) {
	v, err := p.view(ctx, app, r, env, have)
	if err == nil {
		err = p.Fleet.Verify(ctx, deployer.Diff(v.want, have))
	}
	if err != nil {
		return false, app.redact(err.Error())
	}
	return true, ""
}
