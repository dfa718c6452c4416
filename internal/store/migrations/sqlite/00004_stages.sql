-- +goose Up

-- The rules by which the environments of a release take a promotion.
ALTER TABLE releases ADD COLUMN stages TEXT NOT NULL DEFAULT 'null';
