-- +goose Up

-- Of the apps that wait, the one goes first that was served least recently.
CREATE INDEX runs_started ON runs (app, started);
CREATE INDEX runs_queued_of_app ON runs (app, id) WHERE status = 'queued';
