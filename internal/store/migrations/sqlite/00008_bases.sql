-- +goose Up

-- What each image that was built is built from: a list of references, each with
-- the digest that it meant then, and what the builder attests of the build. The
-- same bytes built again are the same row; run is the last that built them.
CREATE TABLE bases (
    app        TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    run        INTEGER NOT NULL REFERENCES runs (id),
    image      TEXT    NOT NULL,
    repository TEXT    NOT NULL,
    bases      TEXT    NOT NULL,
    provenance TEXT    NOT NULL,
    PRIMARY KEY (app, digest)
) STRICT;
