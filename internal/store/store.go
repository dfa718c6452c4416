// Package store keeps what must outlive the server: the inbox of pushes, runs
// and their steps, releases, deployments and the audit trail. It is the end of
// every journey, and the only package that knows SQL.
//
// The database is SQLite, one file in the data directory, which one server at
// a time may use. All writes go through one goroutine that gathers what
// callers want written into one transaction, and so one fsync (see writer);
// reads have connections of their own. The statements keep to what SQLite and
// PostgreSQL both speak; what is SQLite's own is in this file, in the
// migrations and in problem.go.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"batuta"
	"batuta/internal/gitremote"
	"batuta/pipeline"
)

var (
	_ pipeline.Store  = (*DB)(nil)
	_ gitremote.Inbox = (*DB)(nil)
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// readers bounds the connections that read at once.
const readers = 4

// DB is an open database. Its methods may be called from many goroutines.
// Every write is on disk when its method returns without an error; a write
// whose ctx ends while it waits for its turn is not made.
type DB struct {
	dir    string
	holder string // names this server among those that ever claimed a run
	lock   *os.File
	write  *sql.DB // of one connection, which the writer has
	read   *sql.DB
	writer *writer
}

// Open opens the database in dir, makes it if there is none and brings it to
// the schema of this binary. While it is open no other server can open it:
// that gives Conflict, as does a database that a newer binary has written.
func Open(ctx context.Context, dir string) (*DB, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	db := &DB{dir: dir, holder: rand.Text()}
	if db.lock, err = lock(dir); err != nil {
		return nil, err
	}
	if err := private(filepath.Join(dir, "batuta.db")); err != nil {
		return nil, errors.Join(db.problem("open database in "+dir, err), db.Close())
	}
	if err := db.open(ctx); err != nil {
		return nil, errors.Join(db.problem("open database in "+dir, err), db.Close())
	}
	return db, nil
}

// open connects to the database, whose directory is locked.
func (db *DB) open(ctx context.Context) (err error) {
	// What a savepoint would put back is kept in memory: a batch has one for each write, and in a file it costs as much as the writes.
	db.write, err = connect(db.dir, "_txlock=immediate&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_pragma=temp_store(memory)&_pragma=journal_size_limit(67108864)", 1)
	if err != nil {
		return err
	}
	if err := migrate(ctx, db.write); err != nil {
		return err
	}
	if db.read, err = connect(db.dir, "mode=ro&_query_only=1", readers); err != nil {
		return err
	}
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return err
	}
	db.writer = startWriter(conn)
	return nil
}

// Close waits for the writes in progress and lets another server have the data
// directory. Later writes get Unavailable.
func (db *DB) Close() error {
	var errs []error
	if db.writer != nil {
		db.writer.close()
		errs = append(errs, db.writer.tx.close())
	}
	for _, pool := range []*sql.DB{db.read, db.write} { // the last one to close tidies up the files
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(append(errs, unlock(db.lock))...)
}

// Changed gives a channel that is closed at the next change of anything in the
// database. Whoever waits for something takes the channel first, then looks
// whether it is there, and only then waits: so no change is missed.
func (db *DB) Changed() <-chan struct{} { return db.writer.committed.next() }

// connect gives a pool of up to n connections to the database in dir.
func connect(dir, options string, n int) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Path: filepath.Join(dir, "batuta.db"), RawQuery: "_busy_timeout=10000&_dqs=0&" + options}
	pool, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return pool, nil
}

// private makes the database file, if there is none, and keeps others from
// reading it. SQLite gives the files beside it the same mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, pool *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	has, knows, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if has > knows {
		return &batuta.Error{
			Kind:    batuta.Conflict,
			Message: fmt.Sprintf("the database is of a newer batuta (schema %d; this one knows %d)", has, knows),
			Hint:    "start the newer batuta, or put back a copy of the data made before the update",
		}
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
