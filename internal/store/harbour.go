package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"batuta"
	"batuta/pipeline"
)

// shipColumns are what scanShip reads.
const shipColumns = "name, mark, marked, marked_by, marked_why, silent, silent_why, back, heard"

// shipRow is a ship's record under its name.
type shipRow struct {
	name batuta.ShipName
	pipeline.ShipRecord
}

func scanShip(scan func(...any) error) (r shipRow, err error) {
	err = scan(&r.name, &r.Mark, (*moment)(&r.Marked), &r.By, &r.Why, (*moment)(&r.Silent), &r.SilentWhy, (*moment)(&r.Back), (*moment)(&r.Heard))
	return r, err
}

// Ships gives what is kept of the ships that have a record.
func (db *DB) Ships(ctx context.Context) (map[batuta.ShipName]pipeline.ShipRecord, error) {
	rows, err := list(ctx, db, "list ships", scanShip, "SELECT "+shipColumns+" FROM ships")
	ships := make(map[batuta.ShipName]pipeline.ShipRecord, len(rows))
	for _, r := range rows {
		ships[r.name] = r.ShipRecord
	}
	return ships, err
}

// MarkShip saves what a person wants of a ship, in the audit trail too. The
// mark that it has already changes nothing.
func (db *DB) MarkShip(ctx context.Context, ship batuta.ShipName, mark pipeline.Mark, by, why string) error {
	_, err := write(ctx, db, fmt.Sprintf("mark ship %s", ship), func(ctx context.Context, t *tx) (none struct{}, err error) {
		was, err := t.ship(ctx, ship)
		if err != nil || was.Mark == mark {
			return none, err
		}
		action := map[pipeline.Mark]string{pipeline.Open: "ship uncordoned", pipeline.Cordoned: "ship cordoned", pipeline.Draining: "ship drained"}[mark]
		if err := t.audit(ctx, batuta.Entry{By: by, Action: action, Object: string(ship), Detail: why}); err != nil {
			return none, err
		}
		at := now()
		if mark == pipeline.Open {
			at, by, why = time.Time{}, "", ""
		}
		return none, t.exec(ctx, "UPDATE ships SET mark = ?, marked = ?, marked_by = ?, marked_why = ? WHERE name = ?", mark, micros(at), by, why, ship)
	})
	return err
}

// HearShip saves since when a ship has not answered; a zero time is that it
// does. It tells whether that is news, which is in the audit trail too.
func (db *DB) HearShip(ctx context.Context, ship batuta.ShipName, silent time.Time, why string) (bool, error) {
	return write(ctx, db, fmt.Sprintf("note whether ship %s answers", ship), func(ctx context.Context, t *tx) (bool, error) {
		was, err := t.ship(ctx, ship)
		if err != nil || was.Silent.IsZero() == silent.IsZero() {
			return false, err
		}
		back := was.Back
		entry := batuta.Entry{By: "batuta", Action: "ship lost", Object: string(ship), Detail: why}
		if silent.IsZero() {
			entry.Action, entry.Detail = "ship back", fmt.Sprintf("it did not answer for %s", now().Sub(was.Silent).Round(time.Second))
			why, back = "", now()
		}
		if err := errors.Join(t.audit(ctx, entry), t.tell(ctx, pipeline.NoticeOfShip(ship, silent, why))); err != nil {
			return false, err
		}
		return true, t.exec(ctx, "UPDATE ships SET silent = ?, silent_why = ?, back = ? WHERE name = ?", micros(silent), why, micros(back), ship)
	})
}

// ship gives the record of a ship, which it makes if there is none.
func (t *tx) ship(ctx context.Context, name batuta.ShipName) (shipRow, error) {
	row, err := scanShip(t.QueryRowContext(ctx, "SELECT "+shipColumns+" FROM ships WHERE name = ?", name).Scan)
	if !errors.Is(err, sql.ErrNoRows) {
		return row, err
	}
	return shipRow{name: name}, t.exec(ctx, "INSERT INTO ships (name) VALUES (?)", name)
}
