package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// sweepPause is the time from one look at what is old to the next.
	sweepPause = time.Hour
	// sweptAtOnce is how many logs are deleted before that is saved.
	sweptAtOnce = 500
)

// Forget deletes what the forges delivered once it is older than
// KeepDeliveries, and of runs that ended longer ago than KeepLogs the logs and
// what was attested of images that are live nowhere, until ctx ends.
func (p *Pipeline) Forget(ctx context.Context) {
	for ctx.Err() == nil {
		if err := p.ForgetOld(ctx, time.Now()); err != nil && ctx.Err() == nil {
			p.Log.ErrorContext(ctx, "forget what is old", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(sweepPause):
		}
	}
}

// ForgetOld does once what Forget does, as of a time.
func (p *Pipeline) ForgetOld(ctx context.Context, now time.Time) error {
	_, err := p.Store.ForgetDeliveries(ctx, now.Add(-p.KeepDeliveries))
	return errors.Join(err, p.forgetLogs(ctx, now), p.Store.ForgetBuilds(ctx, now.Add(-p.KeepLogs)))
}

// forgetLogs deletes the old logs, and has each run say when. A run whose log
// went in the moment in which an earlier server did is found again.
func (p *Pipeline) forgetLogs(ctx context.Context, now time.Time) error {
	for {
		runs, err := p.Store.OldLogs(ctx, now.Add(-p.KeepLogs), sweptAtOnce)
		if err != nil || len(runs) == 0 {
			return err
		}
		for _, id := range runs {
			if err := p.Logs.Delete(id); err != nil {
				return fmt.Errorf("delete the log of run %d: %w", id, err)
			}
		}
		if err := p.Store.LogsDeleted(ctx, runs, now); err != nil {
			return err
		}
	}
}
