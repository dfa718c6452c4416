package store

import (
	"context"
	"fmt"

	"batuta"
)

// Newest is the newest run of an app that brought a step of this name to its
// end, with that step alone, or NotFound.
func (db *DB) Newest(ctx context.Context, app batuta.AppName, step string) (batuta.Run, error) {
	act := fmt.Sprintf("read step %s of %s", step, app)
	var id batuta.RunID
	err := db.read.QueryRowContext(ctx, `SELECT id FROM runs JOIN steps ON run = id
		WHERE app = ? AND name = ? AND steps.status = 'succeeded' ORDER BY id DESC LIMIT 1`, app, step).Scan(&id)
	if err != nil {
		return batuta.Run{}, db.problem(act, missing(err, "no run of %s did %s yet", app, step))
	}
	run, err := readRun(ctx, db.read, id)
	for _, s := range run.Steps {
		if s.Name == step {
			run.Steps = []batuta.Step{s}
			break
		}
	}
	return run, db.problem(act, err)
}
