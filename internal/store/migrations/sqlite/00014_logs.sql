-- +goose Up

-- When the log of a run was deleted, as keep.logs says; 0: it is kept.
ALTER TABLE runs ADD COLUMN log_deleted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_logged ON runs (ended) WHERE log_deleted = 0;
