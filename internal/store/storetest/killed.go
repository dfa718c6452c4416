package storetest

import (
	"database/sql"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// KilledNow has the server that left a database be killed just now: a run of
// which nobody heard for hours is over.
func KilledNow(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Now().UnixMicro()
	if _, err := db.ExecContext(t.Context(), "UPDATE runs SET created = ?, started = iif(started = 0, 0, ?) WHERE ended = 0", now, now); err != nil {
		t.Fatal(err)
	}
}
