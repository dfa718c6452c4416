-- +goose Up

-- What is still to be told to the world: a notice for one addressee. Key names
-- the event. In a lane an addressee hears of things in their order. Next is
-- when to try; holder is the server that is about to deliver it, or ''. Ended
-- letters stay for a while, so that nothing is told twice.
CREATE TABLE outbox (
    id     INTEGER PRIMARY KEY,
    key    TEXT    NOT NULL,
    target TEXT    NOT NULL,
    lane   TEXT    NOT NULL,
    app    TEXT    NOT NULL,
    notice TEXT    NOT NULL,
    tries  INTEGER NOT NULL DEFAULT 0,
    next   INTEGER NOT NULL DEFAULT 0,
    holder TEXT    NOT NULL DEFAULT '',
    why    TEXT    NOT NULL DEFAULT '',
    ended  INTEGER NOT NULL DEFAULT 0,
    UNIQUE (key, target)
) STRICT;

CREATE INDEX outbox_waiting ON outbox (target, lane, id) WHERE ended = 0;
CREATE INDEX outbox_ended ON outbox (ended) WHERE ended > 0;

-- How the runs before a run ended, by what they were about.
CREATE INDEX runs_outcomes ON runs (app, lane, id) WHERE status IN ('succeeded', 'failed');
CREATE INDEX runs_outcomes_of_environment ON runs (app, environment, id) WHERE status IN ('succeeded', 'failed');
