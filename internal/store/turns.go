package store

import (
	"context"

	"batuta"
)

// The apps that have queued runs wait in turns, the least recently served
// first, so that whoever looks for the next run looks at one app, however many
// wait.

// nextQueued is the first run that may start, of the first app of which one
// may: no other of its lane runs. A run of the default branch, whose name
// nobody has said, may be of any branch: it goes alone among those, and in its
// turn.
const nextQueued = `SELECT first.id, first.epoch + 1 FROM turns
	CROSS JOIN runs AS first ON first.app = turns.app AND first.status = 'queued'
	WHERE NOT EXISTS (SELECT 1 FROM runs WHERE status = 'running' AND app = first.app AND lane = first.lane)
	AND NOT (first.lane = '` + unnamed + `' AND EXISTS (SELECT 1 FROM runs WHERE status = 'running' AND app = first.app AND ` + ofBranch + `))
	AND NOT (first.lane <> '` + unnamed + `' AND ` + firstOfBranch + ` AND (
		EXISTS (SELECT 1 FROM runs WHERE status = 'running' AND app = first.app AND lane = '` + unnamed + `')
		OR EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND app = first.app AND lane = '` + unnamed + `' AND id < first.id)))
	ORDER BY turns.served, turns.since, first.id LIMIT 1`

const (
	unnamed  = "push "                                              // the lane of runs of the default branch
	ofBranch = "lane LIKE 'push %' AND lane NOT LIKE 'push refs/%'" // the lanes of runs of any branch, those too

	firstOfBranch = "first.lane LIKE 'push %' AND first.lane NOT LIKE 'push refs/%'"
)

// line has an app wait in turns, as a run of it is queued now.
func (t *tx) line(ctx context.Context, app batuta.AppName, run batuta.RunID) error {
	return t.exec(ctx, `INSERT INTO turns (app, served, since)
		VALUES (?, COALESCE((SELECT max(started) FROM runs WHERE app = ?), 0), ?) ON CONFLICT (app) DO NOTHING`, app, app, run)
}

// unline ends the wait of an app of which no run is queued any more.
func (t *tx) unline(ctx context.Context, app batuta.AppName) error {
	return t.exec(ctx, `DELETE FROM turns WHERE app = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND app = ?)`, app, app)
}
