package store

import (
	"context"
	"database/sql"
	"errors"

	"batuta"
	"batuta/pipeline"
)

// told lists those whom the recipes in force have told of a notice, each once.
func (t *tx) told(ctx context.Context, n pipeline.Notice) ([]pipeline.Told, error) {
	if len(n.Topics()) == 0 {
		return nil, nil
	}
	books, err := t.ruleBooks(ctx, n)
	var all []pipeline.Told
	for _, book := range books {
		all = append(all, book.Tells(n)...)
	}
	return all, err
}

// ruleBooks are the rules by which a notice is told: those of its run, those of
// what is live in its environment, or those of all that was on its ship.
func (t *tx) ruleBooks(ctx context.Context, n pipeline.Notice) ([]pipeline.RuleBook, error) {
	switch {
	case n.RunKind != "":
		book, err := t.ruleBookOf(ctx, n.Run)
		return []pipeline.RuleBook{book}, err
	case n.App != "":
		return t.liveBooks(ctx, "app = ? AND environment = ?", n.App, n.Environment)
	}
	return t.liveBooks(ctx, "(app, environment) IN (SELECT app, environment FROM sightings WHERE ship = ? AND containers NOT IN ('null', '[]'))", n.Ship)
}

// ruleBookOf is the rules of a run: of the release that it made or deploys, of
// the recipe that it has read or, until it has, of the app's newest release.
func (t *tx) ruleBookOf(ctx context.Context, id batuta.RunID) (pipeline.RuleBook, error) {
	run, err := scanRun(t.QueryRowContext(ctx, "SELECT "+runColumns+" FROM runs WHERE id = ?", id).Scan)
	if err != nil {
		return pipeline.RuleBook{}, missing(err, "no run %d", id)
	}
	if run.Kind == batuta.RunPush && run.Release == 0 {
		var output []byte
		err := t.QueryRowContext(ctx, "SELECT output FROM steps WHERE run = ? AND name = ? AND status = 'succeeded'", id, pipeline.ReadStep).Scan(&output)
		if !errors.Is(err, sql.ErrNoRows) {
			return pipeline.RuleBookOf(run, output), err
		}
	}
	r, err := scanRelease(t.QueryRowContext(ctx, "SELECT "+releaseColumns+" FROM releases WHERE app = ? AND (number = ? OR ? = 0) ORDER BY number DESC LIMIT 1",
		run.App, run.Release, run.Release).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return pipeline.RuleBook{App: run.App}, nil
	}
	return pipeline.RuleBookBy(run, r), err
}

// liveBooks are the rules of what is live in the environments that a condition
// chooses.
func (t *tx) liveBooks(ctx context.Context, where string, args ...any) ([]pipeline.RuleBook, error) {
	return collect(ctx, t, func(scan func(...any) error) (b pipeline.RuleBook, err error) {
		return b, scan(&b.App, &b.Environment, kept{&b.Rules})
	}, `SELECT live.app, live.environment, releases.notify FROM deployments AS live JOIN releases ON releases.app = live.app AND releases.number = live.release
		WHERE live.id IN (SELECT max(id) FROM deployments WHERE status = 'live' AND `+where+` GROUP BY app, environment)
		ORDER BY live.app, live.environment`, args...)
}
