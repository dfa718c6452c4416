package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"batuta"
)

// Audit adds an entry to the trail. A zero At is now.
func (db *DB) Audit(ctx context.Context, e batuta.Entry) error {
	_, err := write(ctx, db, "write audit trail", func(ctx context.Context, t *tx) (struct{}, error) {
		return struct{}{}, t.audit(ctx, e)
	})
	return err
}

// Entries lists the trail of an app, or all of it if app is empty, newest
// first.
func (db *DB) Entries(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Entry, error) {
	query, args := "SELECT at, actor, action, app, object, detail FROM audit", []any{}
	if app != "" {
		query, args = query+" WHERE app = ?", append(args, app)
	}
	return list(ctx, db, "read audit trail", func(scan func(...any) error) (e batuta.Entry, err error) {
		return e, scan((*moment)(&e.At), &e.By, &e.Action, &e.App, &e.Object, &e.Detail)
	}, query+" ORDER BY id DESC LIMIT ?", append(args, limitOf(limit))...)
}

// VerifyAudit counts the rows of the trail, oldest first, that are as they
// were written. If not all are, the error is a Conflict that names the first
// one that was changed, added or taken away.
func (db *DB) VerifyAudit(ctx context.Context) (whole int64, err error) {
	const act = "verify audit trail"
	snapshot, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, db.problem(act, err)
	}
	defer func() { _ = snapshot.Rollback() }() // nothing was written
	whole, err = verify(ctx, snapshot)
	return whole, db.problem(act, err)
}

func verify(ctx context.Context, q querier) (whole int64, err error) {
	var last, head link
	if err := q.QueryRowContext(ctx, "SELECT id, hash FROM audit_head").Scan(&head.id, &head.hash); err != nil {
		return 0, missing(err, "the audit trail has lost its end")
	}
	_, err = collect(ctx, q, func(scan func(...any) error) (none struct{}, err error) {
		row := link{}
		var e batuta.Entry
		err = scan(&row.id, (*moment)(&e.At), &e.By, &e.Action, &e.App, &e.Object, &e.Detail, &row.hash)
		if err == nil && last.next(e) != row {
			err = conflict("the audit trail was changed at row %d", last.id+1)
		}
		if err == nil {
			last = row
		}
		return none, err
	}, "SELECT id, at, actor, action, app, object, detail, hash FROM audit ORDER BY id")
	if err == nil && last != head {
		err = conflict("the audit trail was changed at row %d: the end of it is not what was written last", min(last.id, head.id)+1)
	}
	return last.id, err
}

// link is what ties a row of the trail to the one before it.
type link struct {
	id   int64
	hash string // hex
}

// next is the link of the entry that follows.
func (l link) next(e batuta.Entry) link {
	row, err := json.Marshal([]any{l.id + 1, micros(e.At), e.By, e.Action, e.App, e.Object, e.Detail})
	if err != nil {
		panic(err) // numbers and strings always marshal
	}
	sum := sha256.Sum256(append([]byte(l.hash), row...))
	return link{id: l.id + 1, hash: hex.EncodeToString(sum[:])}
}

func (t *tx) audit(ctx context.Context, e batuta.Entry) error {
	if e.At.IsZero() {
		e.At = now()
	}
	e = legible(e)
	var head link
	if err := t.QueryRowContext(ctx, "SELECT id, hash FROM audit_head").Scan(&head.id, &head.hash); err != nil {
		return fmt.Errorf("find the end of the trail: %w", err)
	}
	row := head.next(e)
	err := t.exec(ctx, "INSERT INTO audit (id, at, actor, action, app, object, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		row.id, micros(e.At), e.By, e.Action, e.App, e.Object, e.Detail, row.hash)
	if err != nil {
		return err
	}
	return t.exec(ctx, "UPDATE audit_head SET id = ?, hash = ?", row.id, row.hash)
}

// legible is the entry in valid UTF-8, which JSON and so the hash need.
func legible(e batuta.Entry) batuta.Entry {
	for _, text := range []*string{&e.By, &e.Action, (*string)(&e.App), &e.Object, &e.Detail} {
		*text = strings.ToValidUTF8(*text, "\uFFFD")
	}
	return e
}
