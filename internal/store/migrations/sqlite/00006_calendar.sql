-- +goose Up

-- What starts a run of an app, as the newest recipe of its first branch says
-- it. Rank is that branch's place in the recipe's own list.
CREATE TABLE agendas (
    app         TEXT    NOT NULL PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs (id),
    rank        INTEGER NOT NULL,
    concurrency TEXT    NOT NULL,
    triggers    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Up to when each schedule was followed.
CREATE TABLE schedule_marks (
    app      TEXT    NOT NULL,
    schedule TEXT    NOT NULL,
    followed INTEGER NOT NULL,
    PRIMARY KEY (app, schedule)
) STRICT, WITHOUT ROWID;
