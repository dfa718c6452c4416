package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"batuta"
	"batuta/internal/gitremote"
	"batuta/pipeline"
)

// Accept saves a push and the queued run that it causes. A delivery that was
// accepted before changes nothing. Runs of the same app and ref that are still
// queued become superseded.
func (db *DB) Accept(ctx context.Context, p batuta.Push) (pipeline.Receipt, error) {
	return write(ctx, db, fmt.Sprintf("accept push of %s to %s", p.Ref, p.App), func(ctx context.Context, t *tx) (pipeline.Receipt, error) {
		return t.accept(ctx, p)
	})
}

// Accepted is the run of a delivery that was accepted before, or NotFound.
func (db *DB) Accepted(ctx context.Context, app batuta.AppName, forge, delivery string) (id batuta.RunID, err error) {
	err = db.read.QueryRowContext(ctx, "SELECT run FROM deliveries WHERE app = ? AND forge = ? AND delivery = ?", app, forge, delivery).Scan(&id)
	return id, db.problem(fmt.Sprintf("look for a delivery to %s", app), missing(err, "%s accepted no delivery %s of %s", app, delivery, forge))
}

// Enqueue saves a queued run, or one that waits for approvals, its steps that
// an earlier run did for it, with its line in the audit trail, and gives its
// number. It supersedes nothing.
func (db *DB) Enqueue(ctx context.Context, r batuta.Run) (batuta.RunID, error) {
	return write(ctx, db, fmt.Sprintf("queue %s of %s", r.Kind, r.App), func(ctx context.Context, t *tx) (batuta.RunID, error) {
		id, err := t.enqueue(ctx, r)
		if err != nil {
			return 0, err
		}
		r.ID = id
		for i, s := range r.Steps {
			if err := t.saveStep(ctx, id, i+1, s); err != nil {
				return 0, err
			}
		}
		return id, t.audit(ctx, asked(r))
	})
}

// asked is the line of the audit trail about a run that a person asked for.
func asked(r batuta.Run) batuta.Entry {
	detail := fmt.Sprintf("run %d", r.ID)
	if r.Release > 0 {
		detail += fmt.Sprintf(", release %d", r.Release)
	}
	if r.Approved != "" {
		detail += ", plan " + r.Approved
	}
	if r.Reason != "" {
		detail += ": " + r.Reason
	}
	return batuta.Entry{By: r.By, Action: string(r.Kind) + " asked", App: r.App, Object: string(r.Environment), Detail: detail}
}

// Refs is what was recorded of the embedded remote's refs, deleted ones too.
func (db *DB) Refs(ctx context.Context, app batuta.AppName) (map[string]gitremote.RefState, error) {
	type row struct {
		name string
		gitremote.RefState
	}
	rows, err := list(ctx, db, fmt.Sprintf("read refs of %s", app), func(scan func(...any) error) (r row, err error) {
		return r, scan(&r.name, &r.Revision, &r.Serial)
	}, "SELECT ref, revision, serial FROM git_refs WHERE app = ?", app)
	refs := make(map[string]gitremote.RefState, len(rows))
	for _, r := range rows {
		refs[r.name] = r.RefState
	}
	return refs, err
}

// DeliverRef records change number serial of a ref and accepts the push in one
// transaction, with its line in the log of deliveries. A deleted ref causes no run; the same serial again answers with
// the run of the first time. A serial that does not follow the last is a
// Conflict.
func (db *DB) DeliverRef(ctx context.Context, p batuta.Push, serial int) (batuta.RunID, error) {
	return write(ctx, db, fmt.Sprintf("record push of %s to %s", p.Ref, p.App), func(ctx context.Context, t *tx) (batuta.RunID, error) {
		var last int
		var caused sql.Null[batuta.RunID]
		err := t.QueryRowContext(ctx, "SELECT serial, run FROM git_refs WHERE app = ? AND ref = ?", p.App, p.Ref).Scan(&last, &caused)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
		if err == nil && serial == last {
			return caused.V, nil
		}
		if serial != last+1 {
			return 0, conflict("change %d of %s of %s does not follow change %d", serial, p.Ref, p.App, last)
		}
		return t.record(ctx, p, serial)
	})
}

// record saves a change of a ref that is new.
func (t *tx) record(ctx context.Context, p batuta.Push, serial int) (batuta.RunID, error) {
	var caused sql.Null[batuta.RunID]
	decision := "ignored: " + p.Ref + " was deleted"
	if p.Revision != "" {
		receipt, err := t.accept(ctx, p)
		if err != nil {
			return 0, err
		}
		caused = sql.Null[batuta.RunID]{V: receipt.Run, Valid: true}
		decision = fmt.Sprintf("run %d", receipt.Run)
	}
	if err := t.keep(ctx, delivered(p, caused.V, decision)); err != nil {
		return 0, err
	}
	err := t.exec(ctx, `INSERT INTO git_refs (app, ref, revision, serial, run) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (app, ref) DO UPDATE SET revision = excluded.revision, serial = excluded.serial, run = excluded.run`,
		p.App, p.Ref, p.Revision, serial, caused)
	return caused.V, err
}

// delivered is a change that the server saw itself, for the log of deliveries.
func delivered(p batuta.Push, run batuta.RunID, decision string) batuta.Delivery {
	if p.Received.IsZero() {
		p.Received = now()
	}
	return batuta.Delivery{
		App: p.App, Forge: p.Forge, Delivery: p.Delivery, Event: "push", Ref: p.Ref, Before: p.Before, After: p.Revision,
		Sender: p.Sender, Message: p.Message, Received: p.Received, Run: run, Decision: decision,
	}
}

func (t *tx) accept(ctx context.Context, p batuta.Push) (pipeline.Receipt, error) {
	if p.Delivery == "" {
		return pipeline.Receipt{}, &batuta.Error{Kind: batuta.Invalid, Message: "a push without a delivery id cannot be told from its repetition"}
	}
	var earlier batuta.RunID
	err := t.QueryRowContext(ctx, "SELECT run FROM deliveries WHERE app = ? AND forge = ? AND delivery = ?", p.App, p.Forge, p.Delivery).Scan(&earlier)
	if err == nil {
		return pipeline.Receipt{Run: earlier, Duplicate: true}, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return pipeline.Receipt{}, err
	}
	run, err := t.acceptBy(ctx, p, p.Sender)
	return pipeline.Receipt{Run: run}, err
}

// acceptBy saves a push that is new, and the queued run that it causes.
func (t *tx) acceptBy(ctx context.Context, p batuta.Push, by string) (batuta.RunID, error) {
	if p.Received.IsZero() {
		p.Received = now()
	}
	run := batuta.Run{App: p.App, Kind: batuta.RunPush, Push: p, By: by}
	var err error
	if run.ID, err = t.enqueue(ctx, run); err != nil {
		return 0, err
	}
	err = t.exec(ctx, "INSERT INTO deliveries (app, forge, delivery, run, received) VALUES (?, ?, ?, ?, ?)",
		p.App, p.Forge, p.Delivery, run.ID, micros(p.Received))
	if err != nil {
		return 0, err
	}
	return run.ID, t.makeWay(ctx, run)
}

// supersede ends what is queued in the lane of run and came before it. What
// was to go to another environment is none of its business.
func (t *tx) supersede(ctx context.Context, run batuta.Run) error {
	older, err := t.superseded(ctx, run)
	if err != nil {
		return err
	}
	err = t.exec(ctx, `UPDATE runs SET status = 'superseded', ended = ?, error = ?
		WHERE status = 'queued' AND app = ? AND lane = ? AND id < ? AND environment = ?`,
		micros(now()), supersededBy(run.ID), run.App, lane(run), run.ID, run.Environment)
	for _, id := range older {
		err = errors.Join(err, t.tellRun(ctx, id))
	}
	return err
}

// superseded is the runs that a run is about to supersede, if anybody wants to
// know.
func (t *tx) superseded(ctx context.Context, run batuta.Run) ([]batuta.RunID, error) {
	if !t.wanted(run.App, pipeline.RunSuperseded) {
		return nil, nil
	}
	return collect(ctx, t, func(scan func(...any) error) (id batuta.RunID, err error) { return id, scan(&id) },
		"SELECT id FROM runs WHERE status = 'queued' AND app = ? AND lane = ? AND id < ? AND environment = ?", run.App, lane(run), run.ID, run.Environment)
}

func (t *tx) enqueue(ctx context.Context, r batuta.Run) (batuta.RunID, error) {
	if r.Created.IsZero() {
		r.Created = now()
	}
	pull, err := encode(r.Push.Pull)
	if err != nil {
		return 0, err
	}
	err = t.insert(ctx, &r.ID, `INSERT INTO runs (app, kind, status, lane,
		forge, delivery, ref, before, revision, sender, message, received,
		environment, release, promoted_from, approved, asked_by, reason, created, pull)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		r.App, r.Kind, cmp.Or(r.Status, batuta.RunQueued), lane(r),
		r.Push.Forge, r.Push.Delivery, r.Push.Ref, r.Push.Before, r.Push.Revision, r.Push.Sender, r.Push.Message, micros(r.Push.Received),
		r.Environment, r.Release, r.From, r.Approved, r.By, r.Reason, micros(r.Created), pull[0])
	if err != nil {
		return 0, err
	}
	if r.Status = cmp.Or(r.Status, batuta.RunQueued); r.Status == batuta.RunQueued {
		if err := t.line(ctx, r.App, r.ID); err != nil {
			return 0, err
		}
	}
	if n, ok := pipeline.NoticeOfRun(r, ""); ok {
		err = t.tell(ctx, n)
	}
	return r.ID, err
}

// lane is what a run has to itself while it runs: pushes their ref, the others
// the environment that they deploy to.
func lane(r batuta.Run) string {
	if p := r.Push.Pull; p != nil && r.Kind == batuta.RunPush {
		return fmt.Sprintf("pull request %d", p.Number)
	}
	if r.Kind == batuta.RunPush {
		return "push " + strings.TrimPrefix(r.Push.Ref, "refs/heads/") // a person may name the branch alone
	}
	return "deploy " + string(r.Environment)
}
