package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"batuta"
)

// Snapshot copies the database in dir, as it is at one moment, to a file that
// must be empty or not there; the copy is one file, for its owner only. A
// server may have the database open, and goes on writing to it meanwhile. No
// database gives NotFound.
func Snapshot(ctx context.Context, dir, file string) error {
	if _, err := os.Stat(filepath.Join(dir, "batuta.db")); errors.Is(err, fs.ErrNotExist) {
		return &batuta.Error{Kind: batuta.NotFound, Message: "no database in " + dir, Hint: "`data` in server.yml says where the server keeps it", Err: err}
	} else if err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	if err := private(file); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	from, err := connect(dir, "mode=rw", 1)
	if err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	_, err = from.ExecContext(ctx, "VACUUM INTO ?", file)
	if err = errors.Join(err, from.Close()); err != nil {
		return fmt.Errorf("copy database in %s: %w", dir, err)
	}
	return nil
}

// Hold keeps every server out of dir, which is made if it is missing, until
// the returned function is called. A server that is there gives Conflict.
func Hold(dir string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("hold data directory: %w", err)
	}
	f, err := lock(dir)
	if err != nil {
		return nil, err
	}
	return func() error { return unlock(f) }, nil
}
