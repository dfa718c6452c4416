-- +goose Up

-- Where a promotion takes its release from.
ALTER TABLE runs ADD COLUMN promoted_from TEXT NOT NULL DEFAULT '';

-- Whom the recipe of a release has told of what, by their names in server.yml.
ALTER TABLE releases ADD COLUMN notify TEXT NOT NULL DEFAULT 'null';
