package pipeline

import (
	"context"
	"slices"
	"time"

	"batuta"
	"batuta/deployer"
)

// Who asks for the runs that nobody asked for.
const (
	byDrift = "batuta: drift"
	byMoves = "batuta: placement"
)

// mostBackoff bounds how long a repair that fails waits for the next try.
const mostBackoff = time.Hour

// mendIt queues the run that mends what may be mended, unless the last one
// failed to and nothing has changed since.
func (p *Pipeline) mendIt(ctx context.Context, s deployer.Scope, v view, now, was Drift) (Drift, error) {
	now, err := p.verdictOf(ctx, now, was)
	if err != nil {
		return now, err
	}
	by, why := byMoves, now.Moves
	if len(now.Moves) == 0 {
		by, why = byDrift, now.Drift
	}
	mayMend := v.want.Repair && !v.paused()
	if len(now.Moves) == 0 && !mayMend || time.Now().Before(now.Next) {
		return now, nil
	}
	now.Run, err = p.repair(ctx, v, s, by, lines(why))
	return now, err
}

// paused tells whether what differs was left by a deployment that failed and
// was not undone: it is for a person to look at.
func (v view) paused() bool {
	return v.last.Status == batuta.Failed && v.last.Release != v.release.Number && slices.ContainsFunc(v.have.Containers, func(c deployer.Container) bool { return c.Release == v.last.Release })
}

// verdictOf looks how the last run that was to mend this ended, and after a
// failure says when the next may be tried: at once if something has changed
// since, or else each time after twice the time.
func (p *Pipeline) verdictOf(ctx context.Context, now, was Drift) (Drift, error) {
	if !now.same(was) {
		now.Run, now.Tries, now.Next, now.Why = 0, 0, time.Time{}, ""
		return now, nil
	}
	if was.Run == 0 || was.Next.After(time.Now()) {
		return now, nil
	}
	run, err := p.Store.Run(ctx, was.Run)
	if err != nil || !run.Status.Ended() || run.Ended.Before(was.Next) {
		return now, err
	}
	now.Tries = was.Tries + 1
	now.Why = run.Error
	if run.Status == batuta.RunSucceeded {
		now.Why = "the run succeeded, and it is as before"
	}
	now.Next = run.Ended.Add(min(p.Every<<min(now.Tries-1, 20), mostBackoff))
	p.tell(ctx, Notice{Kind: RepairFailed, At: time.Now(), App: now.App, Environment: now.Environment, Run: run.ID, Text: now.Why})
	return now, nil
}
