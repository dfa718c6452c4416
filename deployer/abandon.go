package deployer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"batuta"
)

// untouchable tells why what the failed deployment has done stays as it is;
// empty if it is to be undone.
func (r *rollout) untouchable(ctx context.Context, cause error) string {
	if errors.Is(context.Cause(ctx), errLost) {
		return "nothing is undone, because another changes it"
	}
	p, known := errors.AsType[*failure](cause)
	if known && ctx.Err() == nil && r.plan.want.Services[p.service].Update.Pause {
		return "nothing is undone, because its policy is to pause"
	}
	return ""
}

// abandon ends a deployment where it is, and says what it leaves. One that has
// touched nothing, and is alone, leaves nothing.
func (r *rollout) abandon(ctx context.Context, cause error, why string) (Outcome, error) {
	outcome := Outcome{Status: batuta.Failed, Failed: r.tolerated()}
	for _, t := range r.tasks {
		if left := t.left(); left != "" {
			outcome.Left = append(outcome.Left, fmt.Sprintf("%s on %s: %s", t.Instance, t.Ship, left))
		}
	}
	left := "nothing had been touched"
	alone := !errors.Is(context.Cause(ctx), errLost)
	switch {
	case len(outcome.Left) > 0:
		if alone {
			r.oweAgain(ctx, func(*group) bool { return true })
		}
		left = "left as it is:\n  " + strings.Join(outcome.Left, "\n  ")
	case alone:
		r.waive(ctx, nil)
		_ = r.end(ctx)
	}
	return outcome, &batuta.Error{Kind: kindOf(cause), Err: fmt.Errorf("%w\n%s; %s", cause, why, left)}
}

// left is what the task has changed so far; empty if nothing.
func (t *task) left() string {
	var out []string
	switch {
	case t.out != nil || !t.touched():
		return ""
	case t.unfit:
		out = append(out, "the new container has failed")
	case t.ready:
		out = append(out, "the new container is ready")
	case t.begun:
		out = append(out, "the new container is not ready")
	}
	for _, c := range t.stopped {
		out = append(out, c.Name+" is stopped")
	}
	return strings.Join(out, ", ")
}

// isLost tells whether somebody else has the lease.
func (r *rollout) isLost() bool {
	select {
	case <-r.lost: // nil without a lease
		return true
	default:
		return false
	}
}

// whenLost calls end if the lease is lost before done is called.
func (r *rollout) whenLost(end func()) (done func()) {
	finished, waited := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(waited)
		select {
		case <-r.lost:
			end()
		case <-finished:
		}
	}()
	return func() {
		close(finished)
		<-waited
	}
}
