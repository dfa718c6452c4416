package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/deployer/trial"
	"batuta/internal/config"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// shown is a forge that takes note of the statuses it is told.
type shown struct {
	*httptest.Server
	mu      sync.Mutex
	answers []int // one after the other, then 201
	said    []string
}

func newForge(t *testing.T, answers ...int) *shown {
	t.Helper()
	f := &shown{answers: answers}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var s struct{ State, Description, Context, TargetURL string }
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		defer f.mu.Unlock()
		code := http.StatusCreated
		if len(f.answers) > 0 {
			code, f.answers = f.answers[0], f.answers[1:]
		}
		if err := json.Unmarshal(body, &s); err != nil || r.Header.Get("Authorization") != "token a-token-of-the-forge" {
			code = http.StatusUnauthorized
		}
		w.WriteHeader(code)
		rev := strings.TrimPrefix(r.URL.Path, "/api/v1/repos/team/portal/statuses/")
		f.said = append(f.said, fmt.Sprintf("%d %s %s: %s", code, rev, s.State, s.Description))
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *shown) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = nil
}

// says waits for what the forge is told.
func (f *shown) says(t *testing.T, want ...string) {
	t.Helper()
	lab.Wait(t, 20*time.Second, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if got := strings.Join(f.said, "\n"); got != strings.Join(want, "\n") {
			return fmt.Errorf("the forge is told\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
		return nil
	})
}

// tellingForge has the runs of a world told to a forge.
func (w *world) tellingForge(t *testing.T, f *shown) {
	t.Helper()
	c, err := config.Parse("server.yml", []byte(`
url: https://batuta.example.edu
ships: {a: {endpoint: unix:///run/docker.sock}}
apps: {shop: {repository: "`+f.URL+`/team/portal.git", status: {forge: gitea, token: a-token-of-the-forge}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	w.tells = newNotifier(c)
}

// TestACommitShowsItsRun tells a forge of runs that succeed, fail, are skipped
// and are superseded, and of no promotion. A forge that is out of order for a
// moment is told again.
func TestACommitShowsItsRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forge := newForge(t, http.StatusBadGateway, http.StatusTooManyRequests)
	w.tellingForge(t, forge)
	s := w.open(t, nil)
	s.push(t, "one")
	two := s.push(t, "two")
	s.work(t)
	s.succeeds(t, two)
	forge.says(t,
		"502 "+string(revision("one"))+" pending: waiting for its turn",
		"429 "+string(revision("one"))+" pending: waiting for its turn",
		"201 "+string(revision("one"))+" pending: waiting for its turn",
		"201 "+string(revision("two"))+" pending: waiting for its turn",
		"201 "+string(revision("one"))+" error: superseded by run 2",
		"201 "+string(revision("two"))+" pending: running",
		"201 "+string(revision("two"))+" success: release 1 is live in qa",
	)
	forge.forget()
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))
	skipped := s.ended(t, s.deliver(t, batuta.Push{App: testApp, Forge: "gitea", Delivery: "x", Ref: "refs/heads/idea", Revision: revision("idea"), Sender: "ana"}))
	by, err := s.Start(t.Context(), testApp, "main", "", "ben")
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, by)
	idea, hand := string(revision("idea")), string(revision("main"))
	forge.says(t,
		"201 "+idea+" pending: waiting for its turn", "201 "+idea+" pending: running", "201 "+idea+" success: "+skipped.Error,
		"201 "+hand+" pending: running", "201 "+hand+" success: release 2 is live in qa", // its revision is known once it is fetched
	)
}

// TestAForgeThatRefusesIsGivenUp leaves a line in the audit trail, and the run
// alone.
func TestAForgeThatRefusesIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forge := newForge(t, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
	w.tellingForge(t, forge)
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	var given []batuta.Entry
	lab.Wait(t, 20*time.Second, func() error {
		if given = s.audited(t, "notice given up"); len(given) < 3 {
			return fmt.Errorf("the trail has %+v", given)
		}
		return nil
	})
	for i, want := range []string{"went live: run 1, 1 tried: it refuses: 404 Not Found", "run started: run 1, 1 tried: it refuses: 403 Forbidden", "run queued: run 1, 1 tried: it refuses: 401 Unauthorized"} {
		if e := given[i]; e.App != testApp || e.Object != "status of shop" || !strings.HasPrefix(e.Detail, want) || strings.Contains(e.Detail, "a-token") {
			t.Errorf("the trail has %+v, want %q", e, want)
		}
	}
}

// TestASkippedPushMakesNothingGood pushes a revision that failed to a branch
// that starts nothing.
func TestASkippedPushMakesNothingGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forge := newForge(t)
	w.tellingForge(t, forge)
	w.edit("batuta.yml", "images:", "test: [{name: unit, run: exit 1}]\nimages:")
	w.onTest = func(context.Context, trial.Request) (trial.Report, error) { return trial.Report{Attempts: 1}, nil }
	s := w.start(t)
	failed := s.ended(t, s.push(t, "one"))
	one := string(failed.Push.Revision)
	failure := "201 " + one + " failure: " + failed.Error
	forge.says(t, "201 "+one+" pending: waiting for its turn", "201 "+one+" pending: running", failure)
	forge.forget()
	s.ended(t, s.deliver(t, batuta.Push{App: testApp, Forge: "gitea", Delivery: "y", Ref: "refs/heads/idea", Revision: failed.Push.Revision, Sender: "ben"}))
	forge.says(t, "201 "+one+" pending: waiting for its turn", "201 "+one+" pending: running", failure)
}
