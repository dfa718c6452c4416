package store

import (
	"context"
	"fmt"
	"time"

	"batuta"
	"batuta/pipeline"
)

// twice is how far apart the same event may be when a ship and a deployment
// both tell it, each by its own clock.
const twice = 10 * time.Second

const eventColumns = "id, at, app, environment, kind, ship, service, instance, container, release, exit_code, oom_killed, text, teller"

func scanEvent(scan func(...any) error) (e pipeline.Event, err error) {
	err = scan(&e.ID, (*moment)(&e.At), &e.App, &e.Environment, &e.Kind, &e.Ship, &e.Service, &e.Instance, &e.Container,
		&e.Release, &e.ExitCode, &e.OOMKilled, &e.Text, &e.Teller)
	return e, err
}

// Record saves events in their order and forgets the oldest of an environment
// that has more than keep. What it has already it does not save again.
func (db *DB) Record(ctx context.Context, events []pipeline.Event, keep int) error {
	_, err := write(ctx, db, "write history", func(ctx context.Context, t *tx) (none struct{}, err error) {
		type environment struct {
			app  batuta.AppName
			name batuta.EnvironmentName
		}
		of := map[environment]bool{}
		for _, e := range events {
			of[environment{e.App, e.Environment}] = true
			if err := t.chronicle(ctx, e); err != nil {
				return none, err
			}
		}
		for env := range of {
			err := t.exec(ctx, `DELETE FROM history WHERE app = ? AND environment = ? AND id <=
				(SELECT id FROM history WHERE app = ? AND environment = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`, env.app, env.name, env.app, env.name, keep)
			if err != nil {
				return none, err
			}
		}
		return none, nil
	})
	return err
}

// chronicle saves one event, unless the same teller told it before, or the other
// one at about the same time.
func (t *tx) chronicle(ctx context.Context, e pipeline.Event) error {
	at := micros(e.At)
	if e.Teller == pipeline.ToldByShip {
		if _, err := t.ship(ctx, e.Ship); err != nil {
			return err
		}
		if err := t.exec(ctx, "UPDATE ships SET heard = ? WHERE name = ? AND heard < ?", at, e.Ship, at); err != nil {
			return err
		}
	}
	apart := twice.Microseconds()
	if e.Teller == pipeline.ToldByServer {
		apart = 0 // nobody else tells it
	}
	return t.exec(ctx, `INSERT INTO history (at, app, environment, kind, ship, service, instance, container, release, exit_code, oom_killed, text, teller)
		SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (
			SELECT 1 FROM history WHERE container = ? AND kind = ? AND container <> ''
				AND (teller = ? AND at = ? OR teller <> ? AND at BETWEEN ? AND ?))`,
		at, e.App, e.Environment, e.Kind, e.Ship, e.Service, e.Instance, e.Container, e.Release, e.ExitCode, e.OOMKilled, e.Text, e.Teller,
		e.Container, e.Kind, e.Teller, at, e.Teller, at-apart, at+apart)
}

// History lists what happened in an environment, newest first.
func (db *DB) History(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, f pipeline.EventFilter) ([]pipeline.Event, error) {
	query, args := "SELECT "+eventColumns+" FROM history WHERE app = ?", []any{app}
	for _, c := range []struct{ column, value string }{{"environment", string(env)}, {"instance", string(f.Instance)}, {"kind", string(f.Kind)}} {
		if c.value != "" {
			query, args = query+" AND "+c.column+" = ?", append(args, c.value)
		}
	}
	if !f.Since.IsZero() {
		query, args = query+" AND at >= ?", append(args, micros(f.Since))
	}
	return list(ctx, db, fmt.Sprintf("read history of %s of %s", env, app), scanEvent, query+" ORDER BY at DESC, id DESC LIMIT ?", append(args, limitOf(f.Limit))...)
}
