package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
)

// Start queues a run by hand of a ref: a branch, a tag, a full revision, or
// empty for the repository's default branch. It deploys to env; if that is
// empty, to the first environment, as a push does.
func (p *Pipeline) Start(ctx context.Context, app batuta.AppName, ref string, env batuta.EnvironmentName, by string) (batuta.RunID, error) {
	if _, err := p.app(app); err != nil {
		return 0, err
	}
	push := batuta.Push{App: app, Forge: ByHand, Ref: ref, Sender: by, Received: time.Now()}
	return p.enqueue(ctx, batuta.Run{App: app, Kind: batuta.RunPush, Push: push, Environment: env, By: by})
}

// Rerun queues a new run of the revision that the run of a push was about. An
// order is not run again: its plan has to be approved anew. With the name of a
// step it begins there, and what came before is as that run did it.
func (p *Pipeline) Rerun(ctx context.Context, id batuta.RunID, from, by string) (batuta.RunID, error) {
	old, err := p.Store.Run(ctx, id)
	if err != nil {
		return 0, err
	}
	if !old.Status.Ended() {
		return 0, &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("run %d is %s", id, old.Status), Hint: "cancel it first"}
	}
	if old.Kind != batuta.RunPush {
		return 0, &batuta.Error{
			Kind: batuta.Conflict, Message: fmt.Sprintf("run %d was a %s, which needs a plan and somebody who approves it", id, old.Kind),
			Hint: "use promote, rollback or deploy",
		}
	}
	again := batuta.Run{App: old.App, Kind: old.Kind, Push: old.Push, Environment: old.Environment, By: by}
	again.Push.Forge, again.Push.Delivery = ByHand, ""
	if from != "" {
		if again.Steps, err = stepsBefore(old, from); err != nil {
			return 0, err
		}
	}
	return p.enqueue(ctx, again)
}

// stepsBefore is what a run did before a step.
func stepsBefore(run batuta.Run, from string) ([]batuta.Step, error) {
	i := slices.IndexFunc(run.Steps, func(s batuta.Step) bool { return s.Name == from })
	if i < 0 {
		known := make([]string, len(run.Steps))
		for i, s := range run.Steps {
			known[i] = s.Name
		}
		return nil, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("run %d has no step %q", run.ID, from), Hint: "it has " + strings.Join(known, ", ")}
	}
	return slices.DeleteFunc(slices.Clone(run.Steps[:i]), func(s batuta.Step) bool { return s.Status != batuta.StepSucceeded }), nil
}

func (p *Pipeline) enqueue(ctx context.Context, r batuta.Run) (batuta.RunID, error) {
	r.Created = time.Now()
	id, err := p.Store.Enqueue(ctx, r)
	if err != nil {
		return 0, err
	}
	p.Wake()
	return id, nil
}

// Propose is the plan that an order comes to, for people.
func (p *Pipeline) Propose(ctx context.Context, o Order) (Proposal, error) {
	proposal, err := p.propose(ctx, o)
	if err == nil {
		proposal.Plan.Commits = p.commits(ctx, p.Apps[o.App], proposal.Current, proposal.Release)
		proposal.Text = proposal.Plan.String()
	}
	return proposal, err
}

// propose is the plan that an order comes to, without what nobody but people
// needs: its Text, and the commits.
func (p *Pipeline) propose(ctx context.Context, o Order) (Proposal, error) {
	app, err := p.app(o.App)
	if err != nil {
		return Proposal{}, err
	}
	release, from, err := p.choose(ctx, app, o)
	if err != nil {
		return Proposal{}, err
	}
	plan, err := p.plan(ctx, app, release, o.Environment)
	if err != nil {
		return Proposal{}, err
	}
	current, err := p.current(ctx, o.App, o.Environment)
	if err != nil {
		return Proposal{}, err
	}
	return Proposal{App: o.App, Environment: o.Environment, Current: current, Release: release, From: from, Plan: plan, Hash: plan.Hash()}, nil
}

// Order queues the deployment that a person asks for. With an approved hash
// the plan must still be that one, now and when it is applied.
func (p *Pipeline) Order(ctx context.Context, o Order) (batuta.RunID, error) {
	proposal, err := p.propose(ctx, o)
	if err != nil {
		return 0, err
	}
	if o.Approved != "" && o.Approved != proposal.Hash {
		return 0, changed(o.Environment)
	}
	rules := p.Apps[o.App].terms(proposal.Release, o.Environment)
	wait, err := approvalsOf(o, rules)
	if err != nil {
		return 0, err
	}
	if id, joined, err := p.join(ctx, o, proposal, rules); joined || err != nil {
		return id, err
	}
	status := batuta.RunQueued
	if wait {
		status = batuta.RunWaiting
	}
	id, err := p.enqueue(ctx, batuta.Run{
		App: o.App, Kind: o.Kind, Status: status, Environment: o.Environment, Release: proposal.Release.Number, From: proposal.From,
		Approved: o.Approved, By: o.By,
		Push: batuta.Push{App: o.App, Forge: ByHand, Revision: proposal.Release.Revision, Message: proposal.Release.Message, Sender: o.By, Received: time.Now()},
	})
	if err == nil && wait && rules.mayApprove(o.By) == nil {
		err = p.Approve(ctx, id, o.By)
	}
	return id, err
}

// join finds the run that waits for the same, and adds the yes of who may give
// one.
func (p *Pipeline) join(ctx context.Context, o Order, same Proposal, rules terms) (id batuta.RunID, joined bool, err error) {
	waiting, err := p.Store.Waiting(ctx, o.App, o.Environment)
	if err != nil {
		return 0, false, err
	}
	for _, run := range waiting {
		if run.Release != same.Release.Number || run.Approved != o.Approved || run.Kind != o.Kind || run.From != same.From {
			continue
		}
		if rules.mayApprove(o.By) == nil {
			err = p.Approve(ctx, run.ID, o.By)
		}
		return run.ID, true, err
	}
	return 0, false, nil
}

// order is the run of an order: the release exists, only the deployment is to
// be done.
func (j *journey) order(ctx context.Context) error {
	r, err := j.Store.Release(ctx, j.run.App, j.run.Release)
	if err != nil {
		return err
	}
	return j.deploy(ctx, r, j.run.Environment)
}

// choose is the release that an order is about, if it may be deployed so, and
// where a promotion takes it from.
func (p *Pipeline) choose(ctx context.Context, app App, o Order) (r batuta.Release, from batuta.EnvironmentName, err error) {
	switch o.Kind {
	case batuta.RunPromotion:
		if from, err = p.before(ctx, o); err == nil {
			r, err = p.promotable(ctx, app, o, from)
		}
		return r, from, err
	case batuta.RunRollback:
		r, err = p.earlier(ctx, o)
		return r, "", err
	case batuta.RunDeploy:
		r, err = p.again(ctx, o)
		return r, "", err
	}
	return r, "", &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is no kind of order", o.Kind), Hint: "promotion, rollback or deploy"}
}

// promotable is the release that the environment before runs, healthy.
func (p *Pipeline) promotable(ctx context.Context, app App, o Order, from batuta.EnvironmentName) (batuta.Release, error) {
	s, err := p.environment(ctx, app, from)
	if err != nil {
		return batuta.Release{}, err
	}
	refuse := func(why, hint string) (batuta.Release, error) {
		return batuta.Release{}, &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("%s takes only what %s runs healthy: %s", o.Environment, from, why), Hint: hint}
	}
	switch {
	case s.Release == 0:
		return refuse("nothing is live there", "push to deploy there first")
	case o.Release != 0 && o.Release != s.Release:
		return refuse(fmt.Sprintf("it runs release %d, not %d", s.Release, o.Release), fmt.Sprintf("deploy release %d to %s first", o.Release, from))
	case !s.Healthy:
		return refuse(s.Reason, fmt.Sprintf("see `batuta status %s`", o.App))
	}
	r, err := p.Store.Release(ctx, o.App, s.Release)
	if err != nil {
		return r, err
	}
	if i := slices.Index(r.Order, o.Environment); o.From == "" && i > 0 && r.Order[i-1] != from { // the newest release has another order
		return batuta.Release{}, &batuta.Error{
			Kind: batuta.Conflict, Message: fmt.Sprintf("release %d goes to %s before %s", r.Number, r.Order[i-1], o.Environment),
			Hint: fmt.Sprintf("bring it there first, and promote it with --from %s", r.Order[i-1]),
		}
	}
	return r, p.admit(ctx, o, from, r)
}

// before is the environment that an order promotes from.
func (p *Pipeline) before(ctx context.Context, o Order) (batuta.EnvironmentName, error) {
	if o.From == o.Environment {
		return "", &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%s cannot be promoted to itself", o.From)}
	}
	if o.From != "" {
		return o.From, nil
	}
	newest, err := p.Store.Releases(ctx, o.App, 1)
	if err != nil {
		return "", err
	}
	if len(newest) == 0 {
		return "", &batuta.Error{Kind: batuta.NotFound, Message: string(o.App) + " has no release yet", Hint: "push to make one"}
	}
	order := newest[0].Order
	switch i := slices.Index(order, o.Environment); i {
	case -1:
		return "", &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("%s has no environment %s", o.App, o.Environment), Hint: RecipeFile + " names " + names(order) + " in promote"}
	case 0:
		return "", &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("no environment comes before %s", o.Environment), Hint: "a push deploys there"}
	default:
		return order[i-1], nil
	}
}

// historyLimit bounds how far back a rollback looks.
const historyLimit = 200

// earlier is the newest release before the current one that was live in the
// environment, or the one named, if it was live there. It is found by number,
// so that a second rollback goes further back, and not forward again.
func (p *Pipeline) earlier(ctx context.Context, o Order) (batuta.Release, error) {
	history, err := p.Store.Deployments(ctx, o.App, o.Environment, historyLimit)
	if err != nil {
		return batuta.Release{}, err
	}
	current, target := batuta.ReleaseNumber(0), batuta.ReleaseNumber(0)
	for _, d := range history { // newest first
		switch {
		case d.Status != batuta.Live:
		case o.Release == d.Release:
			return p.Store.Release(ctx, o.App, d.Release)
		case current == 0:
			current = d.Release
		case d.Release < current:
			target = max(target, d.Release)
		}
	}
	switch {
	case o.Release != 0:
		return batuta.Release{}, &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("release %d was never live in %s", o.Release, o.Environment), Hint: "a rollback goes to a release that was; promote takes a new one there"}
	case target == 0:
		return batuta.Release{}, &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("no release before the current one was live in %s", o.Environment)}
	}
	return p.Store.Release(ctx, o.App, target)
}

// again is the current release of the environment, or the one named if it was
// live there or the environment is the first of its order and server.yml has
// no rules for it.
func (p *Pipeline) again(ctx context.Context, o Order) (batuta.Release, error) {
	if o.Release == 0 {
		d, err := p.Store.Current(ctx, o.App, o.Environment)
		if err != nil {
			return batuta.Release{}, err
		}
		return p.Store.Release(ctx, o.App, d.Release)
	}
	r, err := p.Store.Release(ctx, o.App, o.Release)
	if err != nil {
		return batuta.Release{}, err
	}
	if _, guarded := p.Apps[o.App].Floors[o.Environment]; !guarded && len(r.Order) > 0 && r.Order[0] == o.Environment {
		return r, nil
	}
	if _, err := p.earlier(ctx, o); err != nil {
		return batuta.Release{}, &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("release %d was never live in %s", o.Release, o.Environment), Hint: "promote it there: batuta promote " + string(o.App) + " " + string(o.Environment)}
	}
	return r, nil
}

// current is the number of the release that is live, 0 if none is.
func (p *Pipeline) current(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (batuta.ReleaseNumber, error) {
	d, err := p.Store.Current(ctx, app, env)
	if errors.Is(err, batuta.NotFound) {
		return 0, nil
	}
	return d.Release, err
}

// scope names an environment to the deployer.
func scope(app batuta.AppName, env batuta.EnvironmentName) deployer.Scope {
	return deployer.Scope{App: app, Environment: env}
}
