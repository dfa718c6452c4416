package pipeline

import (
	"cmp"
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

// checksAtOnce bounds how many instances of one environment are looked at, at
// the same time.
const checksAtOnce = 64

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
	if s.Drift, err = p.drift(ctx, app.Name, env); err != nil {
		return s, err
	}
	p.health(ctx, app, release, have, &s)
	return s, nil
}

// drift is how the environment differed when it was looked at last; nil if it
// did not.
func (p *Pipeline) drift(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (*Drift, error) {
	all, err := p.Store.Drifts(ctx, app)
	i := slices.IndexFunc(all, func(d Drift) bool { return d.Environment == env })
	if err != nil || i < 0 {
		return nil, err
	}
	return &all[i], nil
}

// health tells whether the environment runs exactly what the release wants
// there, and every check passes now; and the same of each instance.
func (p *Pipeline) health(ctx context.Context, app App, r batuta.Release, have deployer.State, s *EnvironmentStatus) {
	v, err := p.view(ctx, app, r, s.Environment, have)
	if err == nil {
		plan := deployer.Diff(v.want, have)
		s.Instances, err = p.instances(ctx, app, v, plan)
		if !plan.Empty() {
			err = p.Fleet.Verify(ctx, plan)
		}
	}
	if s.Healthy = err == nil; err != nil {
		s.Reason = app.redact(err.Error())
	}
}

// instances is how each instance is, and why the first that is not ready is
// not.
func (p *Pipeline) instances(ctx context.Context, app App, v view, plan deployer.Plan) ([]InstanceStatus, error) {
	all := make([]InstanceStatus, len(plan.Changes))
	errs := make([]error, len(plan.Changes))
	var group errgroup.Group
	group.SetLimit(checksAtOnce)
	for i, c := range plan.Changes {
		group.Go(func() error {
			one := plan
			one.Changes, one.Unreachable, one.Clashes = []deployer.Change{c}, nil, nil
			all[i] = v.status(c)
			if errs[i] = p.Fleet.Verify(ctx, one); errs[i] != nil {
				all[i].Ready, all[i].Reason = false, app.redact(errs[i].Error())
			}
			return nil
		})
	}
	_ = group.Wait() // none gives an error
	for _, u := range plan.Unreachable {
		for _, i := range v.want.Instances {
			if i.Ship == u.Ship {
				all = append(all, InstanceStatus{Service: i.Service, Instance: i.Name, Ship: i.Ship, Unknown: true, Reason: "the ship does not answer: " + u.Why})
			}
		}
	}
	return all, cmp.Or(errs...)
}

// status is what a change tells of the instance as it is.
func (v view) status(c deployer.Change) InstanceStatus {
	s := InstanceStatus{Service: c.Service, Instance: c.Instance, Ship: c.Ship, Ready: true, Extra: c.Action == deployer.Stop}
	for _, id := range append([]string{c.Container}, c.Old...) {
		if k := v.container(id); k.State == "running" && s.Started.IsZero() {
			s.Release, s.Started = k.Release, k.Started
		}
	}
	return s
}
