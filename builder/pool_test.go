package builder_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/builder"
)

// worker is a builder whose builds take a minute.
type worker struct {
	name  string
	diary *diary
	mu    sync.Mutex
	down  error
	most  int // builds at once
	now   int
}

// diary tells who built what, in the order in which it began.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, " ")
}

func (w *worker) Check(context.Context) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.name, w.down
}

func (w *worker) Build(ctx context.Context, r builder.Request, _ io.Writer) (builder.Result, error) {
	w.diary.add(w.name + ":" + string(r.App))
	w.mu.Lock()
	w.now++
	w.most = max(w.most, w.now)
	w.mu.Unlock()
	select {
	case <-time.After(time.Minute):
	case <-ctx.Done():
	}
	w.mu.Lock()
	w.now--
	w.mu.Unlock()
	return builder.Result{}, ctx.Err()
}

// workshop is a pool of workers in a bubble.
type workshop struct {
	*builder.Pool
	diary   diary
	workers []*worker
	running sync.WaitGroup
}

func newWorkshop(limits ...int) *workshop {
	w := &workshop{}
	var members []builder.Member
	for i, limit := range limits {
		one := &worker{name: string(rune('a' + i)), diary: &w.diary}
		w.workers = append(w.workers, one)
		members = append(members, builder.Member{Name: one.name, Daemon: one, Limit: limit})
	}
	w.Pool = builder.NewPool(members...)
	return w
}

// order begins a build of an app's image, and returns when it has begun or
// waits.
func (w *workshop) order(ctx context.Context, app batuta.AppName) (log *output, ended chan error) {
	log, ended = &output{}, make(chan error, 1)
	w.running.Go(func() {
		_, err := w.Build(ctx, builder.Request{App: app, Image: "web"}, log)
		ended <- err
	})
	synctest.Wait()
	return log, ended
}

func (w *workshop) expect(t *testing.T, want string) {
	t.Helper()
	if got := w.diary.String(); got != want {
		t.Errorf("the builds were\n%s, want\n%s", got, want)
	}
}

func TestImageReturnsToItsBuilder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(1, 1)
		w.order(t.Context(), "one") // a, being the first with room
		w.order(t.Context(), "two") // b
		w.running.Wait()
		w.order(t.Context(), "two")
		w.order(t.Context(), "one")
		w.running.Wait()
		w.expect(t, "a:one b:two b:two a:one")
	})
}

func TestBuildSpillsOverRatherThanWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(1, 1)
		w.order(t.Context(), "one")
		w.order(t.Context(), "one")
		log, _ := w.order(t.Context(), "one")
		w.expect(t, "a:one b:one")
		if !strings.Contains(log.String(), "all builders are at their limits") {
			t.Errorf("the log is %q", log)
		}
		w.running.Wait()
		if got := len(strings.Fields(w.diary.String())); got != 3 {
			t.Errorf("%d builds began", got)
		}
	})
}

func TestAppsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(1)
		for range 3 {
			w.order(t.Context(), "busy")
		}
		w.order(t.Context(), "late")
		w.order(t.Context(), "later")
		w.running.Wait()
		w.expect(t, "a:busy a:late a:later a:busy a:busy")
	})
}

func TestLimitHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(2, 3)
		for range 20 {
			w.order(t.Context(), "one")
		}
		w.running.Wait()
		if a, b := w.workers[0].most, w.workers[1].most; a != 2 || b != 3 {
			t.Errorf("%d and %d builds at once, want 2 and 3", a, b)
		}
	})
}

func TestSilentBuilderIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(1, 1)
		w.workers[0].down = errors.New("it is off")
		log, _ := w.order(t.Context(), "one")
		w.expect(t, "b:one")
		if !strings.Contains(log.String(), "builder a is passed over: it is off") {
			t.Errorf("the log is %q", log)
		}
		w.workers[0].mu.Lock()
		w.workers[0].down = nil
		w.workers[0].mu.Unlock()
		w.running.Wait() // a minute later it is asked again
		w.order(t.Context(), "two")
		w.order(t.Context(), "three")
		w.running.Wait()
		w.expect(t, "b:one a:two b:three")
	})
}

func TestNoBuilderAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(1, 1)
		w.workers[0].down, w.workers[1].down = errors.New("a is off"), errors.New("b is off")
		for range 2 { // the second finds both known as silent
			_, ended := w.order(t.Context(), "one")
			err := <-ended
			if !errors.Is(err, batuta.Unavailable) || !strings.Contains(fmt.Sprint(err), "no builder answers") {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestCancelledBuildLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(1)
		w.order(t.Context(), "one")
		ctx, cancel := context.WithCancel(t.Context())
		_, ended := w.order(ctx, "two")
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		w.order(t.Context(), "three")
		w.running.Wait()
		w.expect(t, "a:one a:three")
	})
}

// A builder that was silent has a place again when it is next asked: those
// who wait for another do not wait for that one alone.
func TestWaitingBuildTakesTheBuilderThatIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(1, 1)
		w.workers[0].down = errors.New("it is off")
		w.order(t.Context(), "one")
		w.order(t.Context(), "two")
		w.workers[0].mu.Lock()
		w.workers[0].down = nil
		w.workers[0].mu.Unlock()
		time.Sleep(20 * time.Second) // of the bubble: less than a build takes
		synctest.Wait()
		w.expect(t, "b:one a:two")
		w.running.Wait()
	})
}
