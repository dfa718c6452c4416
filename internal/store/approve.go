package store

import (
	"context"
	"fmt"

	"batuta"
	"batuta/pipeline"
)

// Approve saves that a person said yes to the plan of a waiting run, in the
// audit trail too, and queues the run once those who have are enough. A yes
// that was said before changes nothing.
func (db *DB) Approve(ctx context.Context, id batuta.RunID, by string, enough func(people []string) bool) (queued bool, err error) {
	return write(ctx, db, fmt.Sprintf("approve run %d", id), func(ctx context.Context, t *tx) (bool, error) {
		run, err := readRun(ctx, t, id)
		if err != nil {
			return false, err
		}
		if run.Status != batuta.RunWaiting {
			return false, conflict("run %d waits for nobody: it is %s", id, run.Status)
		}
		if err := t.approve(ctx, run, by); err != nil {
			return false, err
		}
		have, err := collect(ctx, t, func(scan func(...any) error) (person string, err error) { return person, scan(&person) },
			"SELECT person FROM approvals WHERE run = ?", id)
		if err != nil || !enough(have) {
			return false, err
		}
		if err := t.exec(ctx, "UPDATE runs SET status = 'queued' WHERE id = ?", id); err != nil {
			return false, err
		}
		if err := t.line(ctx, run.App, id); err != nil {
			return false, err
		}
		return true, t.tellRun(ctx, id)
	})
}

func (t *tx) approve(ctx context.Context, run batuta.Run, by string) error {
	var before int
	err := t.QueryRowContext(ctx, "SELECT count(*) FROM approvals WHERE run = ? AND person = ?", run.ID, by).Scan(&before)
	if err != nil || before > 0 {
		return err
	}
	if err := t.exec(ctx, "INSERT INTO approvals (run, person, at) VALUES (?, ?, ?)", run.ID, by, micros(now())); err != nil {
		return err
	}
	return t.audit(ctx, batuta.Entry{
		By: by, Action: "plan approved", App: run.App, Object: string(run.Environment),
		Detail: fmt.Sprintf("run %d, release %d, plan %s", run.ID, run.Release, run.Approved),
	})
}

// Waiting lists the runs that wait for approvals of what goes to an
// environment, oldest first.
func (db *DB) Waiting(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) ([]batuta.Run, error) {
	return list(ctx, db, fmt.Sprintf("list what waits for %s of %s", env, app), scanRun,
		"SELECT "+runColumns+" FROM runs WHERE app = ? AND environment = ? AND status = 'waiting' ORDER BY id", app, env)
}

var _ pipeline.Approvals = (*DB)(nil)
