package pipeline

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/deployer"
)

// Reconcile compares every environment with its live release, every so often
// and when a ship is lost, back or marked, until ctx ends. What differs is
// saved and told; what may be mended by itself is, by a run.
func (p *Pipeline) Reconcile(ctx context.Context) {
	if p.Every <= 0 {
		return
	}
	for ctx.Err() == nil {
		around := p.around()
		if err := p.ReconcileOnce(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("reconcile", "err", err)
		}
		select {
		case <-around:
		case <-time.After(p.Every):
		case <-ctx.Done():
		}
	}
}

// ReconcileOnce is one such look at every environment. One that cannot be
// looked at keeps nobody from looking at the others.
func (p *Pipeline) ReconcileOnce(ctx context.Context) error {
	scopes, err := p.scopes(ctx, "")
	if err != nil {
		return err
	}
	drifts, err := p.Store.Drifts(ctx, "")
	if err != nil {
		return err
	}
	known := map[deployer.Scope]Drift{}
	for _, d := range drifts {
		known[scope(d.App, d.Environment)] = d
	}
	var group errgroup.Group
	group.SetLimit(statusAtOnce)
	for _, s := range scopes {
		group.Go(func() error {
			if err := p.reconcile(ctx, s, known[s]); err != nil && ctx.Err() == nil {
				p.Log.Error("reconcile", "app", s.App, "environment", s.Environment, "err", p.Apps[s.App].redact(err.Error()))
			}
			return nil
		})
	}
	return group.Wait()
}

// reconcile looks at one environment that no run is changing.
func (p *Pipeline) reconcile(ctx context.Context, s deployer.Scope, was Drift) error {
	if busy, err := p.busy(ctx, s); busy || err != nil {
		return err
	}
	v, err := p.live(ctx, s)
	if errors.Is(err, batuta.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	plan := deployer.Diff(v.within(), v.have)
	if busy, err := p.busy(ctx, s); busy || err != nil || ctx.Err() != nil {
		return err // what was seen may be half of a deployment
	}
	now := v.differences(plan)
	now.App, now.Environment = s.App, s.Environment
	now.Run, now.Tries, now.Next, now.Why = was.Run, was.Tries, was.Next, was.Why
	if now.none() {
		if err := p.sight(ctx, s, v); err != nil {
			return err
		}
		now.Run, now.Tries = 0, 0
	} else if now, err = p.mendIt(ctx, s, v, now, was); err != nil {
		return err
	}
	return errors.Join(p.saveDrift(ctx, now), p.examine(ctx, s, v, plan))
}

// busy tells whether a run deploys to the environment, or is about to.
func (p *Pipeline) busy(ctx context.Context, s deployer.Scope) (bool, error) {
	_, err := p.Store.Busy(ctx, s.App, s.Environment)
	if errors.Is(err, batuta.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// sight saves what runs, now that all of it is as it should be. Of ships that
// do not answer, what was seen before still counts.
func (p *Pipeline) sight(ctx context.Context, s deployer.Scope, v view) error {
	seen := map[batuta.ShipName][]deployer.Container{}
	for name := range p.Ships {
		if _, away := v.have.Unreachable[name]; !away && len(v.seen[name]) > 0 {
			seen[name] = []deployer.Container{}
		}
	}
	for _, c := range v.have.Containers {
		c.Spec = "" // long, and nobody asks for it
		seen[c.Ship] = append(seen[c.Ship], c)
	}
	return p.Store.SaveSightings(ctx, s.App, s.Environment, seen)
}

// saveDrift saves how the environment differs, which tells it if that is news.
func (p *Pipeline) saveDrift(ctx context.Context, d Drift) error {
	news, err := p.Store.SaveDrift(ctx, d)
	if err != nil || !news {
		return err
	}
	p.logNotice(NoticeOfDrift(d))
	p.pokePost()
	return nil
}
