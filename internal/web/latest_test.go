package web

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/pipeline"
)

// asked is a latest whose questions take a while, and how many there were.
func asked(takes *time.Duration) (*latest, *atomic.Int32) {
	n := new(atomic.Int32)
	return &latest{ask: func(ctx context.Context) ([]pipeline.EnvironmentStatus, error) {
		release := batuta.ReleaseNumber(n.Add(1))
		select {
		case <-time.After(*takes):
			return []pipeline.EnvironmentStatus{{App: "a", Release: release}}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}, n
}

// look is what a viewer sees, and how long it took.
func look(t *testing.T, l *latest) (release batuta.ReleaseNumber, waited time.Duration) {
	t.Helper()
	began := time.Now()
	status, at, err := l.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if at.IsZero() != (status == nil) {
		t.Errorf("%v at %v", status, at)
	}
	if status != nil {
		release = status[0].Release
	}
	return release, time.Since(began)
}

func TestOneQuestionServesAllViewers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		takes := time.Second
		l, n := asked(&takes)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if release, waited := look(t, l); release != 1 || waited != time.Second {
					t.Errorf("release %d after %v", release, waited)
				}
			})
		}
		all.Wait()
		if release, waited := look(t, l); release != 1 || waited != 0 || n.Load() != 1 {
			t.Errorf("a moment later: release %d after %v, %d questions", release, waited, n.Load())
		}
		time.Sleep(fresh)
		if release, _ := look(t, l); release != 2 {
			t.Errorf("later: release %d", release)
		}
	})
}

func TestASlowAnswerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		takes := 10 * time.Second
		l, n := asked(&takes)
		for _, want := range []struct {
			release batuta.ReleaseNumber
			waited  time.Duration
		}{
			{0, patience}, {0, patience}, {0, patience}, {1, time.Second}, // it has come
			{1, 0},
		} {
			if release, waited := look(t, l); release != want.release || waited != want.waited {
				t.Errorf("release %d after %v, want %d after %v", release, waited, want.release, want.waited)
			}
		}
		time.Sleep(stale / 2)
		if release, waited := look(t, l); release != 1 || waited != patience {
			t.Errorf("the answer before: release %d after %v", release, waited)
		}
		time.Sleep(2 * stale)
		if release, waited := look(t, l); release != 0 || waited != patience {
			t.Errorf("an old answer: release %d after %v", release, waited)
		}
		if n.Load() != 3 {
			t.Errorf("%d questions", n.Load())
		}
		l.close()
	})
}

func TestAViewerWhoLeavesEndsNoQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		takes := 2 * time.Second
		l, n := asked(&takes)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, _, err := l.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
		if release, waited := look(t, l); release != 1 || waited != time.Second || n.Load() != 1 {
			t.Errorf("the next one: release %d after %v, %d questions", release, waited, n.Load())
		}
	})
}

func TestCloseEndsTheQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		takes := time.Hour
		l, _ := asked(&takes)
		look(t, l)
		began := time.Now()
		l.close() // and the bubble would tell if anything went on
		if time.Since(began) != 0 {
			t.Errorf("closing took %v", time.Since(began))
		}
		new(latest).close()
	})
}

func TestAnAnswerIsNotWaitedForForever(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		takes := time.Hour
		l, _ := asked(&takes)
		look(t, l)
		time.Sleep(askLimit)
		synctest.Wait()
		if _, _, err := l.get(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
		l.close()
	})
}
