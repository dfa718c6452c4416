package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"batuta"
	"batuta/pipeline"
)

// SaveAgenda keeps what starts a run of the leased run's app, unless what is
// kept is of a branch that comes before, or of a later run.
func (db *DB) SaveAgenda(ctx context.Context, l pipeline.Lease, rank int, a pipeline.Agenda) error {
	return db.leased(ctx, fmt.Sprintf("save what run %d is started by", l.Run), l, func(ctx context.Context, t *tx, app batuta.AppName) error {
		values, err := encode(a.On)
		if err != nil {
			return err
		}
		return t.exec(ctx, `INSERT INTO agendas (app, run, rank, concurrency, triggers) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (app) DO UPDATE SET run = excluded.run, rank = excluded.rank, concurrency = excluded.concurrency, triggers = excluded.triggers
			WHERE agendas.rank > excluded.rank OR agendas.rank = excluded.rank AND agendas.run <= excluded.run`,
			app, l.Run, rank, a.Concurrency, values[0])
	})
}

// Agendas gives what starts the runs of the apps that have had one.
func (db *DB) Agendas(ctx context.Context) (map[batuta.AppName]pipeline.Agenda, error) {
	type row struct {
		app batuta.AppName
		pipeline.Agenda
	}
	rows, err := list(ctx, db, "read what starts runs", func(scan func(...any) error) (r row, err error) {
		return r, scan(&r.app, &r.Concurrency, kept{&r.On})
	}, "SELECT app, concurrency, triggers FROM agendas")
	agendas := make(map[batuta.AppName]pipeline.Agenda, len(rows))
	for _, r := range rows {
		agendas[r.app] = r.Agenda
	}
	return agendas, err
}

// Followed is up to when an app's schedules were followed, by schedule.
func (db *DB) Followed(ctx context.Context, app batuta.AppName) (map[string]time.Time, error) {
	type row struct {
		schedule string
		at       time.Time
	}
	rows, err := list(ctx, db, fmt.Sprintf("read the schedules of %s", app), func(scan func(...any) error) (r row, err error) {
		return r, scan(&r.schedule, (*moment)(&r.at))
	}, "SELECT schedule, followed FROM schedule_marks WHERE app = ?", app)
	marks := make(map[string]time.Time, len(rows))
	for _, r := range rows {
		marks[r.schedule] = r.at
	}
	return marks, err
}

// Follow saves up to when a schedule was followed.
func (db *DB) Follow(ctx context.Context, app batuta.AppName, schedule string, at time.Time) error {
	_, err := write(ctx, db, fmt.Sprintf("follow a schedule of %s", app), func(ctx context.Context, t *tx) (struct{}, error) {
		return struct{}{}, t.exec(ctx, `INSERT INTO schedule_marks (app, schedule, followed) VALUES (?, ?, ?)
			ON CONFLICT (app, schedule) DO UPDATE SET followed = excluded.followed`, app, schedule, micros(at))
	})
	return err
}

// Reached is the revision of the newest run of a ref's pushes that succeeded,
// and of the newest at all; empty where there is none.
func (db *DB) Reached(ctx context.Context, app batuta.AppName, ref string) (succeeded, newest batuta.Revision, err error) {
	at := lane(batuta.Run{Kind: batuta.RunPush, Push: batuta.Push{Ref: ref}})
	query := "SELECT revision FROM runs WHERE app = ? AND lane = ?"
	err = db.read.QueryRowContext(ctx, query+" ORDER BY id DESC LIMIT 1", app, at).Scan(&newest)
	if err == nil {
		err = db.read.QueryRowContext(ctx, query+" AND status = 'succeeded' ORDER BY id DESC LIMIT 1", app, at).Scan(&succeeded)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return succeeded, newest, db.problem(fmt.Sprintf("read how far %s of %s came", ref, app), err)
}

// Replaces tells whether a run superseded others.
func (db *DB) Replaces(ctx context.Context, id batuta.RunID) (bool, error) {
	var there bool
	err := db.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM runs AS older JOIN runs AS newer ON newer.app = older.app AND newer.lane = older.lane
		WHERE newer.id = ? AND older.id < newer.id AND older.status = 'superseded' AND older.error = ?)`, id, supersededBy(id)).Scan(&there)
	return there, db.problem(fmt.Sprintf("read what run %d superseded", id), err)
}

// supersededBy is the error of a run that another superseded.
func supersededBy(id batuta.RunID) string { return fmt.Sprintf("superseded by run %d", id) }

// RecordRefs saves where refs are, without a run.
func (db *DB) RecordRefs(ctx context.Context, app batuta.AppName, refs map[string]batuta.Revision) error {
	if len(refs) == 0 {
		return nil
	}
	_, err := write(ctx, db, fmt.Sprintf("record refs of %s", app), func(ctx context.Context, t *tx) (struct{}, error) {
		for ref, rev := range refs {
			err := t.exec(ctx, `INSERT INTO git_refs (app, ref, revision, serial, run) VALUES (?, ?, ?, 1, NULL)
				ON CONFLICT (app, ref) DO UPDATE SET revision = excluded.revision, serial = serial + 1, run = NULL`, app, ref, rev)
			if err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// ToCancel gives the running runs that somebody asked to cancel, and who did.
func (db *DB) ToCancel(ctx context.Context) (map[batuta.RunID]string, error) {
	type row struct {
		id batuta.RunID
		by string
	}
	rows, err := list(ctx, db, "read which runs are to be cancelled", func(scan func(...any) error) (r row, err error) {
		return r, scan(&r.id, &r.by)
	}, "SELECT id, cancel_by FROM runs WHERE status = 'running' AND cancel_by <> ''")
	runs := make(map[batuta.RunID]string, len(rows))
	for _, r := range rows {
		runs[r.id] = r.by
	}
	return runs, err
}

// makeWay treats the older runs of a push's lane as its app says: those that
// wait are superseded, one that runs is cancelled; or neither.
func (t *tx) makeWay(ctx context.Context, run batuta.Run) error {
	way := pipeline.SupersedeOlder
	err := t.QueryRowContext(ctx, "SELECT concurrency FROM agendas WHERE app = ?", run.App).Scan(&way)
	if err != nil && !errors.Is(err, sql.ErrNoRows) || way == pipeline.QueueAll {
		return err
	}
	if err := t.supersede(ctx, run); err != nil || way != pipeline.CancelOlder {
		return err
	}
	older, err := collect(ctx, t, func(scan func(...any) error) (id batuta.RunID, err error) { return id, scan(&id) },
		"SELECT id FROM runs WHERE status = 'running' AND app = ? AND lane = ? AND id < ? AND forge <> ? AND cancel_by = ''", run.App, lane(run), run.ID, pipeline.ByHand)
	for _, id := range slices.Sorted(slices.Values(older)) {
		err = errors.Join(err,
			t.exec(ctx, "UPDATE runs SET cancel_by = ? WHERE id = ?", fmt.Sprintf("run %d", run.ID), id),
			t.audit(ctx, batuta.Entry{By: run.By, Action: "cancel asked", App: run.App, Detail: fmt.Sprintf("run %d, for run %d", id, run.ID)}))
	}
	return err
}
