package store_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/internal/store"
	"batuta/internal/store/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Test(t, func(ctx context.Context, dir string) (storetest.Store, error) {
		return store.Open(ctx, dir)
	})
}

func TestOpenRefusesASecondServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	db := open(t, dir)
	_, err := store.Open(t.Context(), dir)
	if want := fmt.Sprintf("%s is in use by process %d", dir, os.Getpid()); !errors.Is(err, batuta.Conflict) || !strings.Contains(err.Error(), want) {
		t.Errorf("a second server gets %v, want Conflict: %s", err, want)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Accept(t.Context(), push(1)); !errors.Is(err, batuta.Unavailable) {
		t.Errorf("a closed database gives %v, want Unavailable", err)
	}
	if err := open(t, dir).Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusesWhatANewerBinaryWrote(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	byHand(t, dir, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (4711, 1)")
	for range 2 { // the first refusal leaves no lock behind
		_, err := store.Open(t.Context(), dir)
		if !errors.Is(err, batuta.Conflict) || !strings.Contains(err.Error(), "the database is of a newer batuta (schema 4711; this one knows ") {
			t.Errorf("a newer database gives %v", err)
		}
	}
}

func TestOpenRefusesWhatIsNoDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "batuta.db"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), dir); !errors.Is(err, batuta.Internal) || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("a file that is no database gives %v", err)
	}
}

func TestOpenTakesADirectoryOfAnyName(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "50% of a?b#c&d é")
	db := open(t, dir)
	defer db.Close()
	if _, err := os.Stat(filepath.Join(dir, "batuta.db")); err != nil {
		t.Error(err)
	}
}

func TestVerifyAuditFindsTheFirstRowThatWasChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit  string
		whole int64
	}{
		"nothing":              {"SELECT 1", 5},
		"a word":               {"UPDATE audit SET detail = 'nothing of note' WHERE id = 3", 2},
		"a time":               {"UPDATE audit SET at = at + 1 WHERE id = 1", 0},
		"a word moved":         {"UPDATE audit SET object = object || detail, detail = '' WHERE id = 4", 3},
		"a row taken away":     {"DELETE FROM audit WHERE id = 2", 1},
		"the end taken away":   {"DELETE FROM audit WHERE id > 3", 3},
		"all taken away":       {"DELETE FROM audit", 0},
		"a row added":          {"INSERT INTO audit SELECT 6, at, actor, action, app, object, detail, hash FROM audit WHERE id = 5", 5},
		"two rows exchanged":   {"UPDATE audit SET id = CASE id WHEN 2 THEN -3 ELSE -2 END WHERE id IN (2, 3); UPDATE audit SET id = -id WHERE id < 0", 1},
		"the head turned back": {"UPDATE audit_head SET id = 4, hash = (SELECT hash FROM audit WHERE id = 4)", 5},
		"the head lost":        {"DELETE FROM audit_head", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db := open(t, dir)
			for i := range 5 {
				if err := db.Audit(t.Context(), batuta.Entry{By: "ana", Action: "promotion asked", App: "portal", Object: "run", Detail: fmt.Sprint(i)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			byHand(t, dir, "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_shortened; "+c.edit)

			db = open(t, dir)
			defer db.Close()
			whole, err := db.VerifyAudit(t.Context())
			if whole != c.whole || errors.Is(err, batuta.Conflict) != (name != "nothing") && name != "the head lost" {
				t.Errorf("%d rows are whole: %v; want %d", whole, err, c.whole)
			}
		})
	}
}

// TestVerifyAuditFollowsTheChain forges a row together with its hash: then it
// is the next row that does not follow.
func TestVerifyAuditFollowsTheChain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir)
	at := time.UnixMicro(1_800_000_000_000_000)
	for range 4 {
		if err := db.Audit(t.Context(), batuta.Entry{At: at, By: "ana", Action: "promotion asked", App: "portal", Object: "production"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	byHand(t, dir, "DROP TRIGGER audit_is_not_changed")
	raw := connect(t, dir)
	var before string
	if err := raw.QueryRowContext(t.Context(), "SELECT hash FROM audit WHERE id = 1").Scan(&before); err != nil {
		t.Fatal(err)
	}
	forged := sha256.Sum256([]byte(before + `[2,1800000000000000,"eve","promotion asked","portal","production",""]`))
	if _, err := raw.ExecContext(t.Context(), "UPDATE audit SET actor = 'eve', hash = ? WHERE id = 2", hex.EncodeToString(forged[:])); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir)
	defer db.Close()
	if whole, err := db.VerifyAudit(t.Context()); whole != 2 || !errors.Is(err, batuta.Conflict) || !strings.Contains(err.Error(), "changed at row 3") {
		t.Errorf("%d rows are whole: %v; want 2, and row 3 named", whole, err)
	}
}

func TestTheAuditTrailOnlyGrows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir)
	if err := errors.Join(db.Audit(t.Context(), batuta.Entry{By: "ana"}), db.Close()); err != nil {
		t.Fatal(err)
	}
	raw := connect(t, dir)
	for _, edit := range []string{"UPDATE audit SET actor = 'ben'", "DELETE FROM audit"} {
		if _, err := raw.ExecContext(t.Context(), edit); err == nil {
			t.Errorf("%s was done", edit)
		}
	}
}

// open opens a database that the test closes.
func open(t testing.TB, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// connect goes around the store, as a person with the file does.
func connect(t testing.TB, dir string) *sql.DB {
	t.Helper()
	name := url.URL{Scheme: "file", Path: filepath.Join(dir, "batuta.db")}
	raw, err := sql.Open("sqlite", name.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

func byHand(t testing.TB, dir, edit string) {
	t.Helper()
	raw := connect(t, dir)
	if _, err := raw.ExecContext(t.Context(), edit); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
}

// push is a push to a ref of its own.
func push(n int) batuta.Push {
	return batuta.Push{
		App: "portal", Forge: "gitea", Delivery: fmt.Sprint(n), Ref: fmt.Sprint("refs/heads/", n),
		Revision: batuta.Revision(fmt.Sprintf("%040x", n)), Sender: "ana", Message: "Change the colour",
	}
}
