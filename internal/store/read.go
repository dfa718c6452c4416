package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"batuta"
)

// most bounds a list for which the caller gives no limit.
const most = 100

// querier is the writer's transaction, a reader's, or a reader's pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Run gives a run with its steps, in the order they first began.
func (db *DB) Run(ctx context.Context, id batuta.RunID) (batuta.Run, error) {
	act := fmt.Sprintf("read run %d", id)
	snapshot, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return batuta.Run{}, db.problem(act, err)
	}
	defer func() { _ = snapshot.Rollback() }() // nothing was written
	run, err := readRun(ctx, snapshot, id)
	return run, db.problem(act, err)
}

// Runs lists runs of any of the apps, or of all if there are none, with the
// status, or any if it is empty; newest first, without their steps.
func (db *DB) Runs(ctx context.Context, apps []batuta.AppName, status batuta.RunStatus, limit int) ([]batuta.Run, error) {
	query, args := "SELECT "+runColumns+" FROM runs WHERE TRUE", []any{}
	if len(apps) > 0 {
		query += " AND app IN (?" + strings.Repeat(", ?", len(apps)-1) + ")"
		for _, app := range apps {
			args = append(args, app)
		}
	}
	if status != "" {
		query, args = query+" AND status = ?", append(args, status)
	}
	return list(ctx, db, "list runs", scanRun, query+" ORDER BY id DESC LIMIT ?", append(args, limitOf(limit))...)
}

// runColumns are what scanRun reads.
const runColumns = `id, app, kind, status, forge, delivery, ref, before, revision, sender, message, received,
	environment, release, promoted_from, approved, asked_by, reason, created, started, ended, error, cancel_by, pull, log_deleted`

func scanRun(scan func(...any) error) (r batuta.Run, err error) {
	p := &r.Push
	err = scan(&r.ID, &r.App, &r.Kind, &r.Status,
		&p.Forge, &p.Delivery, &p.Ref, &p.Before, &p.Revision, &p.Sender, &p.Message, (*moment)(&p.Received),
		&r.Environment, &r.Release, &r.From, &r.Approved, &r.By, &r.Reason, (*moment)(&r.Created), (*moment)(&r.Started), (*moment)(&r.Ended), &r.Error, &r.CancelBy, kept{&p.Pull}, (*moment)(&r.LogDeleted))
	p.App = r.App
	return r, err
}

func scanStep(scan func(...any) error) (s batuta.Step, err error) {
	var output string
	err = scan(&s.Name, &s.Status, &s.Attempt, (*moment)(&s.Started), (*moment)(&s.Ended), &s.Error, &output)
	if output != "" {
		s.Output = json.RawMessage(output)
	}
	return s, err
}

// readRun gives a run with its steps.
func readRun(ctx context.Context, q querier, id batuta.RunID) (batuta.Run, error) {
	run, err := scanRun(q.QueryRowContext(ctx, "SELECT "+runColumns+" FROM runs WHERE id = ?", id).Scan)
	if err != nil {
		return run, missing(err, "no run %d", id)
	}
	run.Approvals, err = collect(ctx, q, func(scan func(...any) error) (by string, err error) { return by, scan(&by) },
		"SELECT person FROM approvals WHERE run = ? ORDER BY at, person", id)
	if err != nil {
		return run, err
	}
	run.Steps, err = collect(ctx, q, scanStep, "SELECT name, status, attempt, started, ended, error, output FROM steps WHERE run = ? ORDER BY ordinal", id)
	return run, err
}

// list reads rows through the readers' pool.
func list[T any](ctx context.Context, db *DB, act string, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	values, err := collect(ctx, db.read, scan, query, args...)
	return values, db.problem(act, err)
}

// collect reads the rows that a query gives.
func collect[T any](ctx context.Context, q querier, scan func(func(...any) error) (T, error), query string, args ...any) (values []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}

func limitOf(asked int) int {
	if asked <= 0 {
		return most
	}
	return asked
}
