-- +goose Up

-- The pull request that set a run going; 'null' for every other run.
ALTER TABLE runs ADD COLUMN pull TEXT NOT NULL DEFAULT 'null';

-- What came from the forges with a right signature, and what was decided about
-- it. Run is 0 where none follows. The payload has no secrets. Rows are deleted
-- when they are old; when none is left, the numbers begin anew, which spares
-- each delivery a write.
CREATE TABLE delivery_log (
    id        INTEGER PRIMARY KEY,
    app       TEXT    NOT NULL,
    forge     TEXT    NOT NULL,
    delivery  TEXT    NOT NULL,
    event     TEXT    NOT NULL,
    ref       TEXT    NOT NULL,
    before    TEXT    NOT NULL,
    after     TEXT    NOT NULL,
    clone_url TEXT    NOT NULL,
    sender    TEXT    NOT NULL,
    message   TEXT    NOT NULL,
    paths     TEXT    NOT NULL,
    pull      TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    received  INTEGER NOT NULL,
    run       INTEGER NOT NULL,
    decision  TEXT    NOT NULL,
    payload   TEXT    NOT NULL
) STRICT;

CREATE INDEX delivery_log_of_app ON delivery_log (app, id);
