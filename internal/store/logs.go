package store

import (
	"context"
	"time"

	"batuta"
)

// OldLogs lists runs that began, ended before a time, and whose logs are not
// said to be deleted: those that ended first, at most limit.
func (db *DB) OldLogs(ctx context.Context, before time.Time, limit int) ([]batuta.RunID, error) {
	return list(ctx, db, "list old logs", func(scan func(...any) error) (id batuta.RunID, err error) { return id, scan(&id) },
		`SELECT id FROM runs WHERE log_deleted = 0 AND ended > 0 AND ended < ? AND started > 0 ORDER BY ended LIMIT ?`, micros(before), limit)
}

// LogsDeleted saves when the logs of runs were deleted.
func (db *DB) LogsDeleted(ctx context.Context, runs []batuta.RunID, at time.Time) error {
	_, err := write(ctx, db, "note which logs are deleted", func(ctx context.Context, t *tx) (struct{}, error) {
		for _, id := range runs {
			if err := t.exec(ctx, "UPDATE runs SET log_deleted = ? WHERE id = ? AND ended > 0", micros(at), id); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}
