-- +goose Up

-- Why a run was asked for, where that is not plain from its kind.
ALTER TABLE runs ADD COLUMN reason TEXT NOT NULL DEFAULT '';

-- What is known of a ship beside server.yml. Mark is cordoned, draining or ''.
-- Silent is since when it has not answered; heard is up to when the history
-- has what happened on it, by the ship's own clock.
CREATE TABLE ships (
    name       TEXT    NOT NULL PRIMARY KEY,
    mark       TEXT    NOT NULL DEFAULT '',
    marked     INTEGER NOT NULL DEFAULT 0,
    marked_by  TEXT    NOT NULL DEFAULT '',
    marked_why TEXT    NOT NULL DEFAULT '',
    silent     INTEGER NOT NULL DEFAULT 0,
    silent_why TEXT    NOT NULL DEFAULT '',
    heard      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- What ran in an environment on a ship when all was as it should be.
CREATE TABLE sightings (
    app         TEXT NOT NULL,
    environment TEXT NOT NULL,
    ship        TEXT NOT NULL,
    containers  TEXT NOT NULL,
    PRIMARY KEY (app, environment, ship)
) STRICT, WITHOUT ROWID;

-- How an environment differs from what its live release wants, and what is
-- done about it. No row: it does not.
CREATE TABLE drift (
    app         TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    since       INTEGER NOT NULL,
    drift       TEXT    NOT NULL,
    moves       TEXT    NOT NULL,
    run         INTEGER NOT NULL,
    tries       INTEGER NOT NULL,
    next        INTEGER NOT NULL,
    why         TEXT    NOT NULL,
    PRIMARY KEY (app, environment)
) STRICT, WITHOUT ROWID;

-- What happened to the instances. Teller is the 'deployment' or the
-- 'ship', which both tell some of it.
CREATE TABLE history (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    app         TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    ship        TEXT    NOT NULL,
    service     TEXT    NOT NULL,
    instance    TEXT    NOT NULL,
    container   TEXT    NOT NULL,
    release     INTEGER NOT NULL,
    exit_code   INTEGER NOT NULL,
    oom_killed  INTEGER NOT NULL,
    text        TEXT    NOT NULL,
    teller      TEXT    NOT NULL
) STRICT;

CREATE INDEX history_of_environment ON history (app, environment, id);
CREATE INDEX history_of_container ON history (container, kind, at);
