package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"batuta"
	"batuta/pipeline"
)

// Claim gives the next run that may start, now running, with the steps it has;
// NotFound if there is none. Runs that an earlier server left running come
// first: it is dead, since this one has the lock. Then come queued runs of
// which no other of their lane runs: of the apps in turn, the least recently
// served first, and of one app the oldest.
func (db *DB) Claim(ctx context.Context) (batuta.Run, pipeline.Lease, error) {
	type claim struct {
		run   batuta.Run
		lease pipeline.Lease
	}
	c, err := write(ctx, db, "claim a run", func(ctx context.Context, t *tx) (c claim, err error) {
		c.lease, err = t.claim(ctx, db.holder)
		if err != nil {
			return c, err
		}
		if err := t.tellRun(ctx, c.lease.Run); err != nil {
			return c, err
		}
		c.run, err = readRun(ctx, t, c.lease.Run)
		return c, err
	})
	return c.run, c.lease, err
}

// interrupted is the first run that an earlier server left running. By id + 0
// the few that run are sorted; by id all runs there ever were are looked at in
// their order.
const interrupted = "SELECT id, epoch + 1 FROM runs WHERE status = 'running' AND holder <> ? ORDER BY id + 0 LIMIT 1"

func (t *tx) claim(ctx context.Context, holder string) (pipeline.Lease, error) {
	var l pipeline.Lease
	err := t.QueryRowContext(ctx, interrupted, holder).Scan(&l.Run, &l.Epoch)
	if err == nil {
		return l, t.exec(ctx, "UPDATE runs SET holder = ?, epoch = ? WHERE id = ?", holder, l.Epoch, l.Run)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return l, err
	}
	if err := t.QueryRowContext(ctx, nextQueued).Scan(&l.Run, &l.Epoch); err != nil {
		return l, missing(err, "no run is waiting")
	}
	return l, t.start(ctx, l, holder)
}

// start has a queued run run, and its app wait again for its turn if more of
// it are queued.
func (t *tx) start(ctx context.Context, l pipeline.Lease, holder string) error {
	var app batuta.AppName
	started := micros(now())
	err := t.QueryRowContext(ctx, "UPDATE runs SET status = 'running', holder = ?, epoch = ?, started = ? WHERE id = ? RETURNING app",
		holder, l.Epoch, started, l.Run).Scan(&app)
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "UPDATE turns SET served = ? WHERE app = ?", started, app); err != nil {
		return err
	}
	return t.unline(ctx, app)
}

// Cancel ends a run as cancelled if it is queued, and tells whether it was.
// That somebody asked is in the audit trail and in the run's CancelBy, unless
// the run has ended.
func (db *DB) Cancel(ctx context.Context, id batuta.RunID, by string) (bool, error) {
	return write(ctx, db, fmt.Sprintf("cancel run %d", id), func(ctx context.Context, t *tx) (bool, error) {
		var app batuta.AppName
		var status batuta.RunStatus
		err := t.QueryRowContext(ctx, "SELECT app, status FROM runs WHERE id = ?", id).Scan(&app, &status)
		if err != nil {
			return false, missing(err, "no run %d", id)
		}
		if status.Ended() {
			return false, nil
		}
		err = t.audit(ctx, batuta.Entry{By: by, Action: "cancel asked", App: app, Detail: fmt.Sprintf("run %d, %s", id, status)})
		if err == nil {
			err = t.exec(ctx, "UPDATE runs SET cancel_by = ? WHERE id = ?", by, id)
		}
		if err != nil || status == batuta.RunRunning {
			return false, err
		}
		err = t.exec(ctx, "UPDATE runs SET status = 'cancelled', ended = ?, error = ? WHERE id = ?",
			micros(now()), "cancelled by "+by, id)
		if err == nil {
			err = t.unline(ctx, app)
		}
		if err != nil {
			return false, err
		}
		return true, t.tellRun(ctx, id)
	})
}

// HoldEnvironment reserves an environment of the run's app for the run, or
// tells which run has it.
func (db *DB) HoldEnvironment(ctx context.Context, l pipeline.Lease, env batuta.EnvironmentName) (batuta.RunID, bool, error) {
	act := fmt.Sprintf("hold %s for run %d", env, l.Run)
	holder, err := write(ctx, db, act, func(ctx context.Context, t *tx) (holder batuta.RunID, err error) {
		app, err := t.fence(ctx, l)
		if err != nil {
			return 0, err
		}
		err = t.exec(ctx, "INSERT INTO environment_holds (app, environment, run) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", app, env, l.Run)
		if err != nil {
			return 0, err
		}
		err = t.QueryRowContext(ctx, "SELECT run FROM environment_holds WHERE app = ? AND environment = ?", app, env).Scan(&holder)
		return holder, err
	})
	return holder, err == nil && holder == l.Run, err
}

// leased writes something that only the holder of a lease may write.
func (db *DB) leased(ctx context.Context, act string, l pipeline.Lease, do func(context.Context, *tx, batuta.AppName) error) error {
	_, err := write(ctx, db, act, func(ctx context.Context, t *tx) (struct{}, error) {
		app, err := t.fence(ctx, l)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, do(ctx, t, app)
	})
	return err
}

// fence gives the app of the leased run, or Conflict if the lease is over.
func (t *tx) fence(ctx context.Context, l pipeline.Lease) (batuta.AppName, error) {
	var run batuta.Run
	var epoch int64
	err := t.QueryRowContext(ctx, "SELECT app, status, epoch FROM runs WHERE id = ?", l.Run).Scan(&run.App, &run.Status, &epoch)
	switch {
	case err != nil:
		return "", missing(err, "no run %d", l.Run)
	case epoch != l.Epoch:
		return "", conflict("run %d was taken over (claim %d; this one is %d)", l.Run, epoch, l.Epoch)
	case run.Status != batuta.RunRunning:
		return "", conflict("run %d does not run: it is %s", l.Run, run.Status)
	}
	return run.App, nil
}
