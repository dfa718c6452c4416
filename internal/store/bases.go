package store

import (
	"context"
	"encoding/json"
	"fmt"

	"batuta"
	"batuta/pipeline"
)

// SaveBuild keeps what an image was built from, over what was there of the
// same bytes. App and Run are set here.
func (db *DB) SaveBuild(ctx context.Context, l pipeline.Lease, b pipeline.Build) error {
	return db.leased(ctx, fmt.Sprintf("save what image %s is built from", b.Image), l, func(ctx context.Context, t *tx, app batuta.AppName) error {
		values, err := encode(b.Bases)
		if err != nil {
			return err
		}
		return t.exec(ctx, `INSERT INTO bases (app, digest, run, image, repository, bases, provenance) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (app, digest) DO UPDATE SET run = excluded.run, image = excluded.image,
			repository = excluded.repository, bases = excluded.bases, provenance = excluded.provenance`,
			app, b.Made.Digest, l.Run, b.Image, b.Made.Repository, values[0], string(b.Provenance))
	})
}

// Build is how an image of an app came about.
func (db *DB) Build(ctx context.Context, app batuta.AppName, digest batuta.Digest) (pipeline.Build, error) {
	b := pipeline.Build{App: app}
	var provenance string
	err := db.read.QueryRowContext(ctx, "SELECT run, image, repository, digest, bases, provenance FROM bases WHERE app = ? AND digest = ?", app, digest).
		Scan(&b.Run, &b.Image, &b.Made.Repository, &b.Made.Digest, kept{&b.Bases}, &provenance)
	if provenance != "" {
		b.Provenance = json.RawMessage(provenance)
	}
	return b, db.problem(fmt.Sprintf("read what an image of %s is built from", app), missing(err, "nothing is known of how %s of %s was built", digest, app))
}
