package pipeline

import (
	"context"
	"errors"
	"fmt"

	"batuta"
	"batuta/deployer"
)

// Drain empties a ship for maintenance: nothing counted comes there any more,
// and a run for each environment starts elsewhere what is counted there, and
// then stops it here. What is named with this ship stays, and is listed. The
// mark stays until somebody uncordons the ship.
func (p *Pipeline) Drain(ctx context.Context, name batuta.ShipName, by, why string) (Drain, error) {
	d := Drain{Ship: name}
	if err := p.knowsShip(name); err != nil {
		return d, err
	}
	if err := p.Store.MarkShip(ctx, name, Draining, by, why); err != nil {
		return d, err
	}
	defer p.lookAround() // at what the runs below do not bring about
	scopes, err := p.scopes(ctx, "")
	if err != nil {
		return d, err
	}
	for _, s := range scopes {
		if err := p.leave(ctx, s, by, why, &d); err != nil {
			return d, fmt.Errorf("drain %s of %s %s: %w", name, s.App, s.Environment, err)
		}
	}
	return d, nil
}

// leave queues the run that moves what one environment has on the ship.
func (p *Pipeline) leave(ctx context.Context, s deployer.Scope, by, why string, d *Drain) error {
	stuck := func(i batuta.InstanceName, why string) {
		d.Stuck = append(d.Stuck, Stuck{App: s.App, Environment: s.Environment, Instance: i, Why: why})
	}
	v, err := p.live(ctx, s)
	switch {
	case errors.Is(err, batuta.NotFound):
		return nil // nothing is live, so nothing is to be kept up
	case errors.Is(err, batuta.Invalid):
		stuck("", p.Apps[s.App].redact(err.Error()))
		return nil
	case err != nil:
		return err
	}
	if silent, away := v.have.Unreachable[d.Ship]; away && len(v.seen[d.Ship]) > 0 {
		stuck("", "the ship does not answer: "+silent)
		return nil
	}
	stays := map[batuta.InstanceName]bool{}
	for _, i := range v.want.Instances {
		if i.Ship == d.Ship {
			stays[i.Name] = true
			stuck(i.Name, whyStuck(v.want.Services[i.Service]))
		}
	}
	for _, c := range v.have.Containers {
		if c.Ship == d.Ship && !stays[c.Instance] {
			run, err := p.repair(ctx, v, s, by, reasonOf("drain "+string(d.Ship), why))
			d.Runs = append(d.Runs, run)
			return err
		}
	}
	return nil
}

func whyStuck(s deployer.Service) string {
	if s.Counted {
		return "there is no other ship that it may run on"
	}
	return "its document names the ship"
}

func reasonOf(act, why string) string {
	if why == "" {
		return act
	}
	return act + ": " + why
}

// live is what the live release of an environment wants there, or NotFound.
func (p *Pipeline) live(ctx context.Context, s deployer.Scope) (view, error) {
	app, err := p.app(s.App)
	if err != nil {
		return view{}, err
	}
	d, err := p.Store.Current(ctx, s.App, s.Environment)
	if err != nil {
		return view{}, err
	}
	r, err := p.Store.Release(ctx, s.App, d.Release)
	if err != nil {
		return view{}, err
	}
	v, err := p.look(ctx, app, r, s.Environment)
	if err != nil {
		return v, err
	}
	all, err := p.Store.Deployments(ctx, s.App, s.Environment, 1)
	if err == nil && len(all) > 0 {
		v.last = all[0]
	}
	return v, err
}

// repair queues a run that brings back what the live release wants.
func (p *Pipeline) repair(ctx context.Context, v view, s deployer.Scope, by, reason string) (batuta.RunID, error) {
	return p.enqueue(ctx, batuta.Run{
		App: s.App, Kind: batuta.RunDeploy, Environment: s.Environment, Release: v.release.Number, By: by, Reason: reason,
		Push: batuta.Push{App: s.App, Forge: ByHand, Revision: v.release.Revision, Message: v.release.Message, Sender: by},
	})
}
