-- +goose Up

-- When a ship answered again, the last time that it had not; 0: it always did.
ALTER TABLE ships ADD COLUMN back INTEGER NOT NULL DEFAULT 0;
