package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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
	err := db.read.QueryRowContext(ctx, `SELECT b.run, r.started, b.image, b.repository, b.digest, b.bases, b.provenance
		FROM bases AS b JOIN runs AS r ON r.id = b.run WHERE b.app = ? AND b.digest = ?`, app, digest).
		Scan(&b.Run, (*moment)(&b.Begun), &b.Image, &b.Made.Repository, &b.Made.Digest, kept{&b.Bases}, &provenance)
	if provenance != "" {
		b.Provenance = json.RawMessage(provenance)
	}
	return b, db.problem(fmt.Sprintf("read what an image of %s is built from", app), missing(err, "nothing is known of how %s of %s was built", digest, app))
}

// ForgetBuilds forgets, of the runs that ended before a time, how images came
// about that are in no release, and what was attested of those whose releases
// are live nowhere.
func (db *DB) ForgetBuilds(ctx context.Context, before time.Time) error {
	const (
		old      = "run IN (SELECT id FROM runs WHERE ended > 0 AND ended < ?)"
		released = "SELECT 1 FROM releases AS r WHERE r.app = bases.app AND instr(r.images, bases.digest) > 0"
		live     = `r.number IN (SELECT release FROM deployments WHERE id IN
			(SELECT max(id) FROM deployments WHERE app = bases.app AND status = 'live' GROUP BY environment))`
	)
	_, err := write(ctx, db, "forget old builds", func(ctx context.Context, t *tx) (struct{}, error) {
		return struct{}{}, errors.Join(
			t.exec(ctx, "DELETE FROM bases WHERE "+old+" AND NOT EXISTS ("+released+")", micros(before)),
			t.exec(ctx, "UPDATE bases SET provenance = '' WHERE provenance <> '' AND "+old+" AND NOT EXISTS ("+released+" AND "+live+")", micros(before)))
	})
	return err
}

// SaveTags saves what tags of bases mean, in the place of all that was saved
// before.
func (db *DB) SaveTags(ctx context.Context, tags []pipeline.Tag) error {
	_, err := write(ctx, db, "save what tags mean", func(ctx context.Context, t *tx) (struct{}, error) {
		if err := t.exec(ctx, "DELETE FROM tags"); err != nil {
			return struct{}{}, err
		}
		for _, tag := range tags {
			err := t.exec(ctx, "INSERT INTO tags (app, reference, digest, since, asked, tried) VALUES (?, ?, ?, ?, ?, ?)",
				tag.App, tag.Reference, tag.Digest, micros(tag.Since), micros(tag.Asked), micros(tag.Tried))
			if err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// Tags gives them by app and reference.
func (db *DB) Tags(ctx context.Context) ([]pipeline.Tag, error) {
	return list(ctx, db, "read what tags mean", func(scan func(...any) error) (tag pipeline.Tag, err error) {
		return tag, scan(&tag.App, &tag.Reference, &tag.Digest, (*moment)(&tag.Since), (*moment)(&tag.Asked), (*moment)(&tag.Tried))
	}, "SELECT app, reference, digest, since, asked, tried FROM tags ORDER BY app, reference")
}
