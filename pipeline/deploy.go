package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"batuta"
	"batuta/deployer"
)

// deploy brings a release into an environment, as the last step of a run.
func (j *journey) deploy(ctx context.Context, r batuta.Release, env batuta.EnvironmentName) error {
	_, err := step(ctx, j, "deploy "+string(env), whole, func(ctx context.Context, log io.Writer) (batuta.Deployment, error) {
		if err := j.hold(ctx, env, log); err != nil {
			return batuta.Deployment{}, err
		}
		before, err := j.begun(ctx, env)
		if err != nil {
			return batuta.Deployment{}, err
		}
		if before != nil && before.Status != batuta.Applying { // the server was killed before it saved the step
			return *before, outcome(*before)
		}
		r, plan, err := j.intent(ctx, r, env)
		if err != nil {
			return batuta.Deployment{}, err
		}
		if before == nil && j.run.Kind == batuta.RunPush { // again: server.yml and what is live may have changed since it was read
			if err := j.mayPushTo(ctx, r.Order, env); err != nil {
				return batuta.Deployment{}, err
			}
		}
		if before == nil && j.run.Kind == batuta.RunPromotion { // it may have waited until the window closed
			if err := j.app.terms(r, env).open(time.Now()); err != nil {
				return batuta.Deployment{}, err
			}
		}
		if before == nil || before.Release != r.Number {
			if err := j.genuine(ctx, r, log); err != nil {
				return batuta.Deployment{}, err
			}
		}
		if before == nil && j.run.Approved != "" && j.run.Approved != plan.Hash() {
			return batuta.Deployment{}, changed(env)
		}
		plan.Resumed = before != nil
		d, err := j.Store.BeginDeployment(ctx, j.lease, batuta.Deployment{
			App: j.app.Name, Environment: env, Release: r.Number, Run: j.run.ID, Started: time.Now(),
			By: cmp.Or(j.run.By, j.run.Push.Sender, j.run.Push.Forge),
		})
		if err != nil {
			return batuta.Deployment{}, err
		}
		fmt.Fprint(log, plan)
		ended, err := j.Fleet.Apply(ctx, plan, func(e deployer.Event) {
			fmt.Fprintln(log, e)
			j.happened(env, r.Number, e)
		})
		d.Status = ended.Status
		return d, j.conclude(ctx, d, err)
	})
	return err
}

// intent is what the run is to deploy, and the plan of it. A run that mends is
// about the release that is live now, which may have changed while it waited.
func (j *journey) intent(ctx context.Context, r batuta.Release, env batuta.EnvironmentName) (batuta.Release, deployer.Plan, error) {
	current, err := j.current(ctx, j.app.Name, env)
	if err != nil {
		return r, deployer.Plan{}, err
	}
	plan := j.plan
	if j.run.Reason != "" {
		plan = j.mend
		if r, err = j.Store.Release(ctx, j.app.Name, current); err != nil {
			return r, deployer.Plan{}, err
		}
	}
	out, err := plan(ctx, j.app, r, env)
	out.Commits, out.By = j.commits(ctx, j.app, current, r), fmt.Sprintf("run %d", j.run.ID)
	return r, out, err
}

// begun is the deployment that this run began before it was interrupted; nil
// if there is none. What a person approved was compared then: the world that
// it finds now is one that it changed itself.
func (j *journey) begun(ctx context.Context, env batuta.EnvironmentName) (*batuta.Deployment, error) {
	newest, err := j.Store.Deployments(ctx, j.app.Name, env, 1)
	if err != nil || len(newest) == 0 || newest[0].Run != j.run.ID {
		return nil, err
	}
	return &newest[0], nil
}

// outcome is the error of a deployment that has ended; nil if it is live.
func outcome(d batuta.Deployment) error {
	if d.Status == batuta.Live {
		return nil
	}
	return fmt.Errorf("deploy release %d to %s: %s: %s", d.Release, d.Environment, d.Status, d.Error)
}

// hold waits until no other run deploys to the environment. A run that waits
// leaves its place to others, for the one it waits for may need it.
func (j *journey) hold(ctx context.Context, env batuta.EnvironmentName, log io.Writer) error {
	for told := batuta.RunID(0); ; {
		woken := j.wakeup()
		holder, held, err := j.Store.HoldEnvironment(ctx, j.lease, env)
		if err != nil {
			return err
		}
		if held {
			return j.takePlace(ctx)
		}
		if j.placed {
			<-j.places
			j.placed = false
		}
		if holder != told {
			fmt.Fprintf(log, "waiting for run %d, which deploys to %s\n", holder, env)
			told = holder
		}
		select {
		case <-woken:
		case <-time.After(lookAgain):
		case <-j.stopping:
			return errStopping
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// takePlace has the run count again among those that are worked on.
func (j *journey) takePlace(ctx context.Context) error {
	if j.placed {
		return nil
	}
	select {
	case j.places <- struct{}{}:
		j.placed = true
		return nil
	case <-j.stopping:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// plan compares what the release wants in the environment with what runs
// there, and looks whether that can be brought about.
func (p *Pipeline) plan(ctx context.Context, app App, r batuta.Release, env batuta.EnvironmentName) (deployer.Plan, error) {
	v, err := p.look(ctx, app, r, env)
	if err != nil {
		return deployer.Plan{}, err
	}
	if err := p.keep(ctx, app, &v.want, r); err != nil {
		return deployer.Plan{}, err
	}
	return p.Fleet.Compare(ctx, v.want, v.have), nil
}

// mend is the plan of a run that brings back what the live release wants. What
// is on ships that do not answer is none of its business.
func (p *Pipeline) mend(ctx context.Context, app App, r batuta.Release, env batuta.EnvironmentName) (deployer.Plan, error) {
	v, err := p.look(ctx, app, r, env)
	if err != nil {
		return deployer.Plan{}, err
	}
	if err := p.keep(ctx, app, &v.want, r); err != nil {
		return deployer.Plan{}, err
	}
	return p.Fleet.Compare(ctx, v.within(), v.have), nil
}

func changed(env batuta.EnvironmentName) error {
	return &batuta.Error{Kind: batuta.Conflict, Message: string(env) + " has changed since the plan was approved", Hint: "look at the new plan and approve that"}
}

// conclude saves how the deployment ended; why is the error that Apply gave.
func (j *journey) conclude(ctx context.Context, d batuta.Deployment, why error) error {
	text := ""
	if why != nil {
		text = j.app.redact(explain(why))
		why = fmt.Errorf("deploy release %d to %s: %s: %w", d.Release, d.Environment, d.Status, why)
	}
	err := j.insist(func() error {
		return j.Store.EndDeployment(context.WithoutCancel(ctx), j.lease, d.ID, d.Status, text)
	})
	if errors.Is(err, errStopping) {
		return err // the next server finds it begun, and how it ended
	}
	return errors.Join(why, err)
}
