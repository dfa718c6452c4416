-- +goose Up

-- Who said yes to the plan of a run that waits for people.
CREATE TABLE approvals (
    run    INTEGER NOT NULL REFERENCES runs (id),
    person TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (run, person)
) STRICT, WITHOUT ROWID;
