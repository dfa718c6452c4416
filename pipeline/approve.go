package pipeline

import (
	"context"
	"fmt"
	"time"

	"batuta"
)

// Approve has a person say yes to exactly the plan that a waiting run was
// asked for with. With the last approval that its environment wants, the run
// is queued. The same person again changes nothing.
func (p *Pipeline) Approve(ctx context.Context, id batuta.RunID, by string) error {
	run, err := p.Store.Run(ctx, id)
	if err != nil {
		return err
	}
	if run.Status != batuta.RunWaiting {
		return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("run %d waits for nobody: it is %s", id, run.Status)}
	}
	release, err := p.Store.Release(ctx, run.App, run.Release)
	if err != nil {
		return err
	}
	rules := p.Apps[run.App].terms(release, run.Environment)
	if err := rules.mayApprove(by); err != nil {
		return err
	}
	now, err := p.propose(ctx, Order{Kind: run.Kind, App: run.App, Environment: run.Environment, From: run.From, Release: run.Release, By: by})
	if err != nil {
		return err
	}
	if now.Hash != run.Approved {
		return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("%s has changed since run %d was asked for", run.Environment, id), Hint: fmt.Sprintf("cancel run %d and ask again", id)}
	}
	queued, err := p.Store.Approve(ctx, id, by, rules.enough)
	if queued {
		p.Wake()
	}
	return err
}

// admit tells why a promotion may not be asked for, by the rules of the
// environment that it goes to. Rules are about promotions: what is live, or
// was, may always be deployed again.
func (p *Pipeline) admit(ctx context.Context, o Order, from batuta.EnvironmentName, r batuta.Release) error {
	rules := p.Apps[o.App].terms(r, o.Environment)
	if err := p.soaked(ctx, o, from, r, rules.soak()); err != nil {
		return err
	}
	return rules.open(time.Now())
}

// soaked tells whether the release has been live in the environment before for
// as long as it has to.
func (p *Pipeline) soaked(ctx context.Context, o Order, from batuta.EnvironmentName, r batuta.Release, soak time.Duration) error {
	if soak == 0 {
		return nil
	}
	history, err := p.Store.Deployments(ctx, o.App, from, historyLimit)
	if err != nil {
		return err
	}
	var since time.Time
	for _, d := range history { // newest first
		if d.Status == batuta.Live && d.Release != r.Number {
			break
		} else if d.Status == batuta.Live {
			since = d.Ended
		}
	}
	ready := since.Add(soak)
	if !since.IsZero() && !time.Now().Before(ready) {
		return nil
	}
	hint := "that is so at " + ready.UTC().Format(time.RFC3339)
	if since.IsZero() {
		hint = fmt.Sprintf("it is not known since when it is; deploy release %d to %s again", r.Number, from)
	}
	return &batuta.Error{
		Kind: batuta.Conflict, Message: fmt.Sprintf("%s wants release %d to have been live in %s for %s", o.Environment, r.Number, from, soak),
		Hint: hint,
	}
}

// approvalsOf tells whether an order's run has to wait: for more people, or for
// one who may approve where whoever asks may not. A rule about approvals is
// about a plan that a person saw.
func approvalsOf(o Order, rules terms) (wait bool, err error) {
	if o.Kind != batuta.RunPromotion || !rules.approved() {
		return false, nil
	}
	if o.Approved == "" {
		return false, &batuta.Error{Kind: batuta.Invalid, Message: string(o.Environment) + " takes only what a person approved", Hint: "send the hash of the plan that was shown"}
	}
	return rules.approvals() > 1 || rules.mayApprove(o.By) != nil, nil
}
