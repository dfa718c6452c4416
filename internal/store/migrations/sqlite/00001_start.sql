-- Times are integers: microseconds since 1970 in UTC, 0 for "not yet".
-- Text that may be missing is '', never NULL. JSON is text.

-- +goose Up

-- A run, with the push that set it going. Runs of one app and lane go one at a
-- time: pushes by their ref, the others by their environment. Each claim
-- raises the epoch, which fences whoever had the run before; the holder is the
-- server that claimed it last.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    app         TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    lane        TEXT    NOT NULL,
    forge       TEXT    NOT NULL,
    delivery    TEXT    NOT NULL,
    ref         TEXT    NOT NULL,
    before      TEXT    NOT NULL,
    revision    TEXT    NOT NULL,
    sender      TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    received    INTEGER NOT NULL,
    environment TEXT    NOT NULL,
    release     INTEGER NOT NULL,
    approved    TEXT    NOT NULL,
    asked_by    TEXT    NOT NULL,
    created     INTEGER NOT NULL,
    started     INTEGER NOT NULL DEFAULT 0,
    ended       INTEGER NOT NULL DEFAULT 0,
    error       TEXT    NOT NULL DEFAULT '',
    cancel_by   TEXT    NOT NULL DEFAULT '',
    holder      TEXT    NOT NULL DEFAULT '',
    epoch       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX runs_running ON runs (app, lane) WHERE status = 'running';
CREATE INDEX runs_queued ON runs (id) WHERE status = 'queued';
CREATE INDEX runs_queued_lane ON runs (app, lane) WHERE status = 'queued';
CREATE INDEX runs_of_app ON runs (app, id);

-- The inbox: which deliveries of the forges were accepted, and the run that
-- each of them caused.
CREATE TABLE deliveries (
    app      TEXT    NOT NULL,
    forge    TEXT    NOT NULL,
    delivery TEXT    NOT NULL,
    run      INTEGER NOT NULL REFERENCES runs (id),
    received INTEGER NOT NULL,
    PRIMARY KEY (app, forge, delivery)
) STRICT, WITHOUT ROWID;

-- What was recorded of the refs of the embedded Git remote. Revision '' is a
-- deleted ref. The serial counts the changes of the ref; run is what the last
-- of them caused.
CREATE TABLE git_refs (
    app      TEXT    NOT NULL,
    ref      TEXT    NOT NULL,
    revision TEXT    NOT NULL,
    serial   INTEGER NOT NULL,
    run      INTEGER          REFERENCES runs (id),
    PRIMARY KEY (app, ref)
) STRICT, WITHOUT ROWID;

CREATE TABLE steps (
    run     INTEGER NOT NULL REFERENCES runs (id),
    name    TEXT    NOT NULL,
    ordinal INTEGER NOT NULL,
    status  TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended   INTEGER NOT NULL,
    error   TEXT    NOT NULL,
    output  TEXT    NOT NULL,
    PRIMARY KEY (run, name),
    UNIQUE (run, ordinal)
) STRICT;

-- A release never changes.
CREATE TABLE releases (
    app       TEXT    NOT NULL,
    number    INTEGER NOT NULL,
    run       INTEGER NOT NULL UNIQUE REFERENCES runs (id),
    revision  TEXT    NOT NULL,
    message   TEXT    NOT NULL,
    images    TEXT    NOT NULL,
    pins      TEXT    NOT NULL,
    promote   TEXT    NOT NULL,
    documents TEXT    NOT NULL,
    created   INTEGER NOT NULL,
    PRIMARY KEY (app, number)
) STRICT;

CREATE TABLE deployments (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    app         TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    release     INTEGER NOT NULL,
    run         INTEGER NOT NULL REFERENCES runs (id),
    status      TEXT    NOT NULL,
    asked_by    TEXT    NOT NULL,
    started     INTEGER NOT NULL,
    ended       INTEGER NOT NULL DEFAULT 0,
    error       TEXT    NOT NULL DEFAULT '',
    UNIQUE (run, environment),
    FOREIGN KEY (app, release) REFERENCES releases (app, number)
) STRICT;

CREATE INDEX deployments_of_environment ON deployments (app, environment, id);

-- Which run may deploy to an environment now. Rows go when their run ends.
CREATE TABLE environment_holds (
    app         TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    run         INTEGER NOT NULL REFERENCES runs (id),
    PRIMARY KEY (app, environment)
) STRICT, WITHOUT ROWID;

CREATE INDEX environment_holds_of_run ON environment_holds (run);

-- The audit trail is a chain: hash is the SHA-256, in hex, of the hash before
-- it and the row; audit_head is its last link. Ids have no gaps.
CREATE TABLE audit (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    app      TEXT    NOT NULL,
    object   TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    hash     TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_of_app ON audit (app, id);

CREATE TABLE audit_head (
    id   INTEGER NOT NULL,
    hash TEXT    NOT NULL
) STRICT;

INSERT INTO audit_head (id, hash) VALUES (0, '');

-- +goose StatementBegin
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END;
-- +goose StatementEnd
