package store

import (
	"context"

	"batuta"
)

// The apps that have queued runs wait in turns, the least recently served
// first, so that whoever looks for the next run looks at one app, however many
// wait.

// nextQueued is the first run that may start, of the first app of which one
// may: no other of its lane runs.
const nextQueued = `SELECT first.id, first.epoch + 1 FROM turns
	CROSS JOIN runs AS first ON first.app = turns.app AND first.status = 'queued'
	WHERE NOT EXISTS (SELECT 1 FROM runs WHERE status = 'running' AND app = first.app AND lane = first.lane)
	ORDER BY turns.served, turns.since, first.id LIMIT 1`

// line has an app wait in turns, as a run of it is queued now.
func (t *tx) line(ctx context.Context, app batuta.AppName, run batuta.RunID) error {
	return t.exec(ctx, `INSERT INTO turns (app, served, since)
		VALUES (?, COALESCE((SELECT max(started) FROM runs WHERE app = ?), 0), ?) ON CONFLICT (app) DO NOTHING`, app, app, run)
}

// unline ends the wait of an app of which no run is queued any more.
func (t *tx) unline(ctx context.Context, app batuta.AppName) error {
	return t.exec(ctx, `DELETE FROM turns WHERE app = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND app = ?)`, app, app)
}
