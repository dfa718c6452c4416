package store

import (
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"batuta"
)

// problem is err as the caller of the store gets it: with the act that it
// stopped, and with the kind that SQLite's code means. What the rules of the
// store refused says so itself and passes as it is.
func (db *DB) problem(act string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*batuta.Error](err); ok {
		return err
	}
	fault, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return fmt.Errorf("%s: %w", act, err)
	}
	switch fault.Code() & 0xff { // the rest of the code says more than a person needs
	case sqlite3.SQLITE_FULL:
		return &batuta.Error{Kind: batuta.Unavailable, Message: act + ": no space left on " + db.dir, Hint: "make room on that disk", Err: err}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &batuta.Error{Kind: batuta.Unavailable, Message: act + ": the database is busy", Hint: "does another program have " + db.dir + "/batuta.db open?", Err: err}
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return &batuta.Error{Kind: batuta.Unavailable, Message: act + ": the disk does not take or give data in " + db.dir, Err: err}
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return &batuta.Error{Kind: batuta.Internal, Message: act + ": the database in " + db.dir + " is damaged", Hint: "put back a copy of the data", Err: err}
	}
	return &batuta.Error{Kind: batuta.Internal, Message: act, Err: err}
}

// missing is err, or NotFound if err is that there is no such row.
func missing(err error, format string, args ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf(format, args...)}
	}
	return err
}

// conflict is that the world is not as the write assumes.
func conflict(format string, args ...any) error {
	return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf(format, args...)}
}
