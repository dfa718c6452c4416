-- +goose Up

-- What the tags of base images from outside meant when they were last asked
-- about, by the app that is built from them; digest '' is that nobody could
-- tell. since is when a tag was first seen to mean this digest, asked when it was
-- last seen to, and tried when it was last asked about.
CREATE TABLE tags (
	app       TEXT    NOT NULL,
	reference TEXT    NOT NULL,
	digest    TEXT    NOT NULL,
	since     INTEGER NOT NULL,
	asked     INTEGER NOT NULL,
	tried     INTEGER NOT NULL,
	PRIMARY KEY (app, reference)
) STRICT, WITHOUT ROWID;
