package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"batuta"
)

func TestARefusedWriteLeavesTheOthersOfItsBatch(t *testing.T) {
	t.Parallel()
	db := open(t)
	db.writer.close() // the batch is served here, as one
	refusal := errors.New("no")
	after := []func(context.Context, *tx) error{
		func(context.Context, *tx) error { return nil },
		func(context.Context, *tx) error { return refusal },
		func(ctx context.Context, t *tx) error {
			return t.exec(ctx, "INSERT INTO steps (run, name) VALUES (4711, 'of no run')")
		},
	}
	batch := make([]*request, 3*len(after))
	for i := range batch {
		batch[i] = &request{outcome: make(chan error, 1), do: func(ctx context.Context, t *tx) error {
			if _, err := t.enqueue(ctx, batuta.Run{App: batuta.AppName(fmt.Sprint("app-", i))}); err != nil {
				return err
			}
			return after[i%len(after)](ctx, t)
		}}
	}
	db.writer.serve(batch)
	for i, r := range batch {
		if err := <-r.outcome; (err == nil) != (i%3 == 0) || (i%3 == 1) != errors.Is(err, refusal) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	runs, err := db.Runs(t.Context(), nil, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var apps []batuta.AppName
	for _, r := range runs {
		apps = append(apps, r.App)
	}
	if want := []batuta.AppName{"app-6", "app-3", "app-0"}; !slices.Equal(apps, want) {
		t.Errorf("runs of %v are kept, want %v", apps, want)
	}
}

func TestARefusedWriteWakesNobody(t *testing.T) {
	t.Parallel()
	db := open(t)
	changed := db.Changed()
	refusal := errors.New("no")
	_, err := write(t.Context(), db, "try", func(ctx context.Context, tx *tx) (batuta.RunID, error) {
		id, err := tx.enqueue(ctx, batuta.Run{App: "portal"})
		return id, errors.Join(err, refusal)
	})
	if !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	select {
	case <-changed:
		t.Error("what was taken back woke the waiters")
	default:
	}
}

func TestAWriteWhoseCallerLeavesTheQueueIsNotMade(t *testing.T) {
	t.Parallel()
	db := open(t)
	release := block(t, db)
	defer release()
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the caller left")
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if err := db.Audit(ctx, batuta.Entry{By: "ana"}); !errors.Is(err, gone) {
			t.Errorf("the write that waited: %v", err)
		}
	})
	cancel(gone)
	waiting.Wait()
	release()
	if whole, err := db.VerifyAudit(t.Context()); whole != 0 || err != nil {
		t.Errorf("%d entries were written: %v", whole, err)
	}
}

func TestCloseSeesTheWriteInProgressThrough(t *testing.T) {
	t.Parallel()
	db := open(t)
	release := block(t, db)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if err := db.Audit(t.Context(), batuta.Entry{By: "ana"}); !errors.Is(err, batuta.Unavailable) {
			t.Errorf("the write that waited: %v", err)
		}
	})
	waiting.Go(db.writer.close)
	<-db.writer.stop
	release()
	waiting.Wait()
	if runs, err := db.Runs(t.Context(), []batuta.AppName{"blocker"}, "", 0); err != nil || len(runs) != 1 {
		t.Errorf("what was being written is kept as %v: %v", runs, err)
	}
}

func open(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// block keeps the writer in a transaction until release is called, which
// returns when it is through.
func block(t *testing.T, db *DB) (release func()) {
	t.Helper()
	entered, gate := make(chan struct{}), make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		_, err := write(t.Context(), db, "block", func(ctx context.Context, tx *tx) (batuta.RunID, error) {
			close(entered)
			<-gate
			return tx.enqueue(ctx, batuta.Run{App: "blocker"})
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-entered
	return sync.OnceFunc(func() { close(gate); writing.Wait() })
}
