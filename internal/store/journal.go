package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"batuta"
	"batuta/pipeline"
)

// SaveStep saves a step under its name, over what was there.
func (db *DB) SaveStep(ctx context.Context, l pipeline.Lease, s batuta.Step) error {
	act := fmt.Sprintf("save step %s of run %d", s.Name, l.Run)
	if len(s.Output) > 0 && !json.Valid(s.Output) {
		return &batuta.Error{Kind: batuta.Invalid, Message: act + ": its output is not JSON"}
	}
	return db.leased(ctx, act, l, func(ctx context.Context, t *tx, _ batuta.AppName) error {
		err := t.exec(ctx, `INSERT INTO steps (run, name, ordinal, status, attempt, started, ended, error, output)
			VALUES (?, ?, (SELECT count(*) + 1 FROM steps WHERE run = ?), ?, ?, ?, ?, ?, ?)
			ON CONFLICT (run, name) DO UPDATE SET status = excluded.status, attempt = excluded.attempt,
				started = excluded.started, ended = excluded.ended, error = excluded.error, output = excluded.output`,
			l.Run, s.Name, l.Run, s.Status, s.Attempt, micros(s.Started), micros(s.Ended), s.Error, string(s.Output))
		return err
	})
}

// saveStep saves a step that a run has from the start.
func (t *tx) saveStep(ctx context.Context, run batuta.RunID, ordinal int, s batuta.Step) error {
	return t.exec(ctx, "INSERT INTO steps (run, name, ordinal, status, attempt, started, ended, error, output) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		run, s.Name, ordinal, s.Status, s.Attempt, micros(s.Started), micros(s.Ended), s.Error, string(s.Output))
}

// SaveRun saves what a run learns about itself on the way: Push.Revision,
// Push.Message, Environment and Release.
func (db *DB) SaveRun(ctx context.Context, l pipeline.Lease, r batuta.Run) error {
	return db.leased(ctx, fmt.Sprintf("save run %d", l.Run), l, func(ctx context.Context, t *tx, _ batuta.AppName) error {
		err := t.exec(ctx, "UPDATE runs SET revision = ?, message = ?, environment = ?, release = ? WHERE id = ?",
			r.Push.Revision, r.Push.Message, r.Environment, r.Release, l.Run)
		if err != nil {
			return err
		}
		return t.tellRun(ctx, l.Run) // who needs its revision may not know of it yet
	})
}

// EndRun saves how a run ended, drops the environments it held and ends the
// deployments that it left open. The status must be final.
func (db *DB) EndRun(ctx context.Context, l pipeline.Lease, status batuta.RunStatus, why string) error {
	act := fmt.Sprintf("end run %d", l.Run)
	if !status.Ended() {
		return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%s: %s is not an end", act, status)}
	}
	return db.leased(ctx, act, l, func(ctx context.Context, t *tx, _ batuta.AppName) error {
		err := t.exec(ctx, "UPDATE runs SET status = ?, error = ?, ended = ? WHERE id = ?", status, why, micros(now()), l.Run)
		if err != nil {
			return err
		}
		if err := t.endSteps(ctx, l.Run, status, why); err != nil {
			return err
		}
		if err := t.exec(ctx, "DELETE FROM environment_holds WHERE run = ?", l.Run); err != nil {
			return err
		}
		if err := t.abandon(ctx, l.Run, status, why); err != nil {
			return err
		}
		return t.tellRun(ctx, l.Run)
	})
}

// endSteps ends the steps whose end could not be saved.
func (t *tx) endSteps(ctx context.Context, run batuta.RunID, status batuta.RunStatus, why string) error {
	to := batuta.StepFailed
	if status == batuta.RunCancelled {
		to = batuta.StepCancelled
	}
	return t.exec(ctx, "UPDATE steps SET status = ?, error = ?, ended = ? WHERE run = ? AND status = ?", to, why, micros(now()), run, batuta.StepRunning)
}

// abandon ends the deployments that a run began and did not end.
func (t *tx) abandon(ctx context.Context, run batuta.RunID, status batuta.RunStatus, why string) error {
	left, err := collect(ctx, t, scanDeployment, "SELECT "+deploymentColumns+" FROM deployments WHERE run = ? AND status = ?", run, batuta.Applying)
	for _, d := range left {
		d.Status = batuta.Failed
		if status == batuta.RunCancelled {
			d.Status = batuta.Cancelled
		}
		err = errors.Join(err, t.audit(ctx, deployed(d)),
			t.exec(ctx, "UPDATE deployments SET status = ?, error = ?, ended = ? WHERE id = ?", d.Status, why, micros(now()), d.ID))
	}
	return err
}
