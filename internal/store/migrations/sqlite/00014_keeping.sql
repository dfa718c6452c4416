-- +goose Up

-- When the log of a run was deleted, as keep.logs says; 0: it is kept.
ALTER TABLE runs ADD COLUMN log_deleted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_logged ON runs (ended) WHERE log_deleted = 0;

-- The apps that have queued runs: when one was last served, and the run with
-- which it began to wait.
CREATE TABLE turns (
	app    TEXT    PRIMARY KEY,
	served INTEGER NOT NULL,
	since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX turns_in_order ON turns (served, since);
INSERT INTO turns (app, served, since)
	SELECT app, max(started), min(CASE status WHEN 'queued' THEN id END) FROM runs
	WHERE app IN (SELECT app FROM runs WHERE status = 'queued') GROUP BY app;
