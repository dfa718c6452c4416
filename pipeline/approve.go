package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	rules := release.Stages[run.Environment]
	if err := mayApprove(rules, run.Environment, by); err != nil {
		return err
	}
	now, err := p.Propose(ctx, Order{Kind: run.Kind, App: run.App, Environment: run.Environment, From: run.From, Release: run.Release, By: by})
	if err != nil {
		return err
	}
	if now.Hash != run.Approved {
		return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("%s has changed since run %d was asked for", run.Environment, id), Hint: fmt.Sprintf("cancel run %d and ask again", id)}
	}
	queued, err := p.Store.Approve(ctx, id, by, max(rules.Approvals, 1))
	if queued {
		p.Wake()
	}
	return err
}

// mayApprove tells why a person's yes does not count.
func mayApprove(s batuta.Stage, env batuta.EnvironmentName, by string) error {
	if len(s.Approvers) == 0 || slices.Contains(s.Approvers, by) {
		return nil
	}
	return &batuta.Error{Kind: batuta.Denied, Message: fmt.Sprintf("%s is not among those who approve what goes to %s", by, env), Hint: "they are " + strings.Join(s.Approvers, ", ")}
}

// admit tells why a promotion may not be asked for, by the rules of the
// environment that it goes to. Rules are about promotions: what is live, or
// was, may always be deployed again.
func (p *Pipeline) admit(ctx context.Context, o Order, from batuta.EnvironmentName, r batuta.Release) error {
	rules := r.Stages[o.Environment]
	if rules.IsZero() {
		return nil
	}
	if err := p.soaked(ctx, o, from, r); err != nil {
		return err
	}
	return open(rules, o.Environment, time.Now())
}

// open tells why an environment takes nothing at an instant.
func open(s batuta.Stage, env batuta.EnvironmentName, at time.Time) error {
	for _, text := range s.Freeze {
		if f, err := parseFreeze(text); err == nil && f.contains(at) {
			return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("%s is frozen: %s", env, text), Hint: "a rollback is possible all the same"}
		}
	}
	if len(s.Windows) == 0 {
		return nil
	}
	for _, text := range s.Windows {
		if w, err := parseWindow(text); err == nil && w.contains(at) {
			return nil
		}
	}
	return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("%s takes promotions only at its times: %s", env, strings.Join(s.Windows, ", ")), Hint: "a rollback is possible all the same"}
}

// soaked tells whether the release has been live in the environment before for
// as long as it has to.
func (p *Pipeline) soaked(ctx context.Context, o Order, from batuta.EnvironmentName, r batuta.Release) error {
	soak := r.Stages[o.Environment].Soak
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
	if since.IsZero() || time.Now().Before(ready) {
		return &batuta.Error{
			Kind: batuta.Conflict, Message: fmt.Sprintf("%s wants release %d to have been live in %s for %s", o.Environment, r.Number, from, soak),
			Hint: "that is so at " + ready.UTC().Format(time.RFC3339),
		}
	}
	return nil
}

// approvalsOf tells whether an order's run has to wait: for more people, or for
// one who may approve where whoever asks may not. A rule about approvals is
// about a plan that a person saw.
func approvalsOf(o Order, r batuta.Release) (wait bool, err error) {
	rules := r.Stages[o.Environment]
	if o.Kind != batuta.RunPromotion || rules.Approvals == 0 && len(rules.Approvers) == 0 {
		return false, nil
	}
	if o.Approved == "" {
		return false, &batuta.Error{Kind: batuta.Invalid, Message: string(o.Environment) + " takes only what a person approved", Hint: "send the hash of the plan that was shown"}
	}
	return rules.Approvals > 1 || mayApprove(rules, o.Environment, o.By) != nil, nil
}
