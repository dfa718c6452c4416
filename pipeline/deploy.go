package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
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
		plan, err := j.plan(j.app, r, env, j.Fleet.Observe(ctx, scope(j.app.Name, env)))
		if err != nil {
			return batuta.Deployment{}, err
		}
		d, err := j.open(ctx, r, env, plan)
		if err != nil {
			return batuta.Deployment{}, err
		}
		fmt.Fprint(log, plan)
		outcome, err := j.Fleet.Apply(ctx, plan, func(e deployer.Event) { fmt.Fprintln(log, e) })
		d.Status = outcome.Status
		return d, j.conclude(ctx, d, err)
	})
	return err
}

// hold waits until no other run deploys to the environment. A run that waits
// leaves its place to others, for the one it waits for may need it.
func (j *journey) hold(ctx context.Context, env batuta.EnvironmentName, log io.Writer) error {
	for told := batuta.RunID(0); ; {
		woken := j.wakeup()
		holder, held, err := j.Store.HoldEnvironment(ctx, j.lease, env)
		if err != nil || held {
			return err
		}
		if told == 0 {
			<-j.places
			defer func() { j.places <- struct{}{} }()
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

// plan compares what the release wants in the environment with what runs
// there.
func (p *Pipeline) plan(app App, r batuta.Release, env batuta.EnvironmentName, have deployer.State) (deployer.Plan, error) {
	text, ok := r.Documents[env]
	if !ok {
		return deployer.Plan{}, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("release %d of %s has no document for %s", r.Number, r.App, env), Hint: "its " + RecipeFile + " names " + names(r.Order) + " in promote"}
	}
	grant, err := app.grant(env)
	if err != nil {
		return deployer.Plan{}, err
	}
	doc, _ := deployer.Parse(EnvironmentFile(env), []byte(text)) // Resolve repeats its problems
	in := app.input(env, grant)
	in.Release, in.Images, in.Pins, in.Current, in.Key = r.Number, r.Images, r.Pins, have.Containers, p.Key
	want, err := app.resolve(doc, in)
	if err != nil {
		return deployer.Plan{}, err
	}
	return deployer.Diff(want, have), nil
}

// open saves that the deployment begins, unless a person approved another
// plan than this one. A run that was interrupted in mid-deployment was past
// that question, and finds a world that it changed itself.
func (j *journey) open(ctx context.Context, r batuta.Release, env batuta.EnvironmentName, plan deployer.Plan) (batuta.Deployment, error) {
	begun, err := j.Store.Deployments(ctx, j.app.Name, env, 1)
	if err != nil {
		return batuta.Deployment{}, err
	}
	again := len(begun) > 0 && begun[0].Run == j.run.ID
	if !again && j.run.Approved != "" && j.run.Approved != plan.Hash() {
		return batuta.Deployment{}, changed(env)
	}
	return j.Store.BeginDeployment(ctx, j.lease, batuta.Deployment{
		App: j.app.Name, Environment: env, Release: r.Number, Run: j.run.ID, By: cmp.Or(j.run.By, j.run.Push.Sender, j.run.Push.Forge), Started: time.Now(),
	})
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
	err := j.Store.EndDeployment(context.WithoutCancel(ctx), j.lease, d.ID, d.Status, text)
	return errors.Join(why, err)
}

func names(envs []batuta.EnvironmentName) string {
	all := make([]string, len(envs))
	for i, e := range envs {
		all[i] = string(e)
	}
	return strings.Join(all, ", ")
}
