package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/pipeline"
)

const driftColumns = "app, environment, since, drift, moves, run, tries, next, why"

func scanDrift(scan func(...any) error) (d pipeline.Drift, err error) {
	err = scan(&d.App, &d.Environment, (*moment)(&d.Since), kept{&d.Drift}, kept{&d.Moves}, &d.Run, &d.Tries, (*moment)(&d.Next), &d.Why)
	return d, err
}

// Drifts lists the environments of an app, or of all, that are not as their
// live release wants them.
func (db *DB) Drifts(ctx context.Context, app batuta.AppName) ([]pipeline.Drift, error) {
	return list(ctx, db, "list drift", scanDrift,
		"SELECT "+driftColumns+" FROM drift WHERE app = ? OR ? = '' ORDER BY app, environment", app, app)
}

// SaveDrift saves how an environment differs, or that it does not any more,
// and tells whether drift has come or gone. Since stays what it was as long as
// there is any difference.
func (db *DB) SaveDrift(ctx context.Context, d pipeline.Drift) (bool, error) {
	return write(ctx, db, fmt.Sprintf("save drift of %s of %s", d.Environment, d.App), func(ctx context.Context, t *tx) (bool, error) {
		was, err := scanDrift(t.QueryRowContext(ctx, "SELECT "+driftColumns+" FROM drift WHERE app = ? AND environment = ?", d.App, d.Environment).Scan)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return false, err
		}
		came, went := len(was.Drift) == 0 && len(d.Drift) > 0, len(was.Drift) > 0 && len(d.Drift) == 0
		if came || went {
			if err := errors.Join(t.audit(ctx, drifted(d, was)), t.tell(ctx, pipeline.NoticeOfDrift(d))); err != nil {
				return false, err
			}
		}
		return came || went, t.saveDrift(ctx, d, was.Since)
	})
}

// drifted is the line of the audit trail about drift that came or has gone.
func drifted(d, was pipeline.Drift) batuta.Entry {
	e := batuta.Entry{By: "batuta", Action: "drift seen", App: d.App, Object: string(d.Environment), Detail: strings.Join(d.Drift, "; ")}
	if len(d.Drift) == 0 {
		e.Action, e.Detail = "drift gone", fmt.Sprintf("after %s: %s", now().Sub(was.Since).Round(time.Second), strings.Join(was.Drift, "; "))
	}
	return e
}

func (t *tx) saveDrift(ctx context.Context, d pipeline.Drift, since time.Time) error {
	if len(d.Drift)+len(d.Moves) == 0 {
		return t.exec(ctx, "DELETE FROM drift WHERE app = ? AND environment = ?", d.App, d.Environment)
	}
	if since.IsZero() {
		since = now()
	}
	words, err := encode(d.Drift, d.Moves)
	if err != nil {
		return err
	}
	return t.exec(ctx, `INSERT INTO drift (app, environment, since, drift, moves, run, tries, next, why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (app, environment) DO UPDATE SET drift = excluded.drift, moves = excluded.moves,
			run = excluded.run, tries = excluded.tries, next = excluded.next, why = excluded.why`,
		d.App, d.Environment, micros(since), words[0], words[1], d.Run, d.Tries, micros(d.Next), d.Why)
}

// Busy gives a run that deploys to an environment, or is queued to.
func (db *DB) Busy(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (batuta.RunID, error) {
	var run batuta.RunID
	err := db.read.QueryRowContext(ctx, `SELECT run FROM environment_holds WHERE app = ? AND environment = ?
		UNION ALL SELECT id FROM runs WHERE app = ? AND environment = ? AND status = 'queued'
		UNION ALL SELECT id FROM runs WHERE app = ? AND environment = ? AND status = 'running' LIMIT 1`, app, env, app, env, app, env).Scan(&run)
	return run, db.problem(fmt.Sprintf("look who deploys to %s of %s", env, app), missing(err, "nothing deploys to %s of %s", env, app))
}

// sighting is what was seen of an environment on one ship.
type sighting struct {
	ship       batuta.ShipName
	containers []deployer.Container
}

// Sightings gives what an environment ran when all was as it should be.
func (db *DB) Sightings(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (map[batuta.ShipName][]deployer.Container, error) {
	rows, err := list(ctx, db, fmt.Sprintf("read what %s of %s ran", env, app), func(scan func(...any) error) (s sighting, err error) {
		return s, scan(&s.ship, kept{&s.containers})
	}, "SELECT ship, containers FROM sightings WHERE app = ? AND environment = ?", app, env)
	seen := make(map[batuta.ShipName][]deployer.Container, len(rows))
	for _, r := range rows {
		seen[r.ship] = r.containers
	}
	return seen, err
}

// SaveSightings saves what an environment runs on the ships that are given.
func (db *DB) SaveSightings(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, seen map[batuta.ShipName][]deployer.Container) error {
	_, err := write(ctx, db, fmt.Sprintf("save what %s of %s runs", env, app), func(ctx context.Context, t *tx) (none struct{}, err error) {
		for ship, containers := range seen {
			words, err := encode(containers)
			if err != nil {
				return none, err
			}
			err = t.exec(ctx, `INSERT INTO sightings (app, environment, ship, containers) VALUES (?, ?, ?, ?)
				ON CONFLICT (app, environment, ship) DO UPDATE SET containers = excluded.containers WHERE containers <> excluded.containers`, app, env, ship, words[0])
			if err != nil {
				return none, err
			}
		}
		return none, nil
	})
	return err
}
