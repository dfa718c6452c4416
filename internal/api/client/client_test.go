package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"batuta"
	"batuta/internal/api"
	"batuta/internal/api/apitest"
	"batuta/internal/api/client"
)

func connect(t *testing.T, address, person string) *client.Client {
	t.Helper()
	c, err := client.New(address, apitest.Token(person))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheClientSpeaksEveryRoute(t *testing.T) {
	t.Parallel()
	c, ctx := connect(t, apitest.New(t, nil).URL, "admin"), t.Context()
	version, err1 := c.Version(ctx)
	apps, err2 := c.Apps(ctx)
	status, err3 := c.Status(ctx, "portal")
	runs, err4 := c.Runs(ctx, "portal", batuta.RunSucceeded, 2)
	started, err5 := c.Start(ctx, "portal", "broken", "")
	again, err6 := c.Rerun(ctx, 1, "")
	releases, err7 := c.Releases(ctx, "portal", 0)
	deployments, err8 := c.Deployments(ctx, "portal", "production", 0)
	proposal, err9 := c.Plan(ctx, "portal", "production", api.Order{Kind: batuta.RunPromotion})
	promoted, err10 := c.Deploy(ctx, "portal", "production", api.Order{Kind: batuta.RunPromotion, Approved: proposal.Hash})
	entries, err11 := c.Audit(ctx, "", 0)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11); err != nil {
		t.Fatal(err)
	}
	for what, ok := range map[string]bool{
		"version": version.You == "admin", "apps": len(apps) == 2, "status": len(status) == 2 && len(status[1].Containers) == 2,
		"runs": len(runs) == 2 && runs[0].Kind == batuta.RunPromotion, "started": started.Status == batuta.RunFailed, "again": again.ID == 6,
		"releases": len(releases) == 4, "deployments": len(deployments) == 1, "proposal": proposal.Current == 2 && proposal.Release.Number == 4,
		"promoted": promoted.Release == 4 && promoted.By == "admin", "entries": len(entries) == 7,
	} {
		if !ok {
			t.Errorf("%s: %+v", what, map[string]any{"version": version, "apps": apps, "status": status, "runs": runs, "started": started, "again": again, "releases": releases, "deployments": deployments, "proposal": proposal, "promoted": promoted, "entries": entries}[what])
		}
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	ctx := t.Context()
	_, missing := connect(t, w.URL, "admin").Run(ctx, 99)
	_, denied := connect(t, w.URL, "reader").Cancel(ctx, 1)
	_, stranger := connect(t, w.URL, "nobody").Apps(ctx)
	_, conflict := connect(t, w.URL, "ana").Deploy(ctx, "portal", "production", api.Order{Kind: batuta.RunRollback, Approved: "old"})
	_, unreached := connect(t, "http://127.0.0.1:1", "ana").Apps(ctx)
	for _, c := range []struct {
		err  error
		kind batuta.Kind
		text string
	}{
		{missing, batuta.NotFound, "no run 99"}, {denied, batuta.Denied, "reader may not push"}, {stranger, batuta.Denied, "no valid token"},
		{conflict, batuta.Conflict, "has changed"}, {unreached, batuta.Unavailable, "ask http://127.0.0.1:1: connect: connection refused"},
	} {
		if !errors.Is(c.err, c.kind) || !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("%v, want %s %q", c.err, c.kind, c.text)
		}
	}
	w.Break(batuta.Problems{{File: "batuta.yml", Line: 2}})
	if _, err := connect(t, w.URL, "admin").Runs(ctx, "", "", 0); !errors.As(err, new(batuta.Problems)) {
		t.Errorf("%v", err)
	}
}

func TestAnswersOfOthers(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	if _, err := connect(t, s.URL, "ana").Apps(t.Context()); !errors.Is(err, batuta.NotFound) || !strings.Contains(err.Error(), "404 Not Found") {
		t.Errorf("%v", err)
	}
	if _, err := client.New("batuta.example.edu", ""); !errors.Is(err, batuta.Invalid) {
		t.Errorf("%v", err)
	}
}

// shower lets a test wait for what a log shows.
type shower struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func newShower() *shower { return &shower{more: make(chan struct{}, 1)} }

func (s *shower) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *shower) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *shower) wait(t *testing.T, text string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for !strings.Contains(s.String(), text) {
		select {
		case <-s.more:
		case <-late:
			t.Fatalf("the log never showed %q: %s", text, s)
		}
	}
}

func TestLogFollowsUntilTheRunEnds(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	w.Hold()
	run, err := connect(t, w.URL, "ana").Start(t.Context(), "portal", "main", "")
	if err != nil {
		t.Fatal(err)
	}
	out, done := newShower(), make(chan error, 1)
	go func() { done <- connect(t, w.URL, "ana").Log(t.Context(), run.ID, "", true, out) }()
	out.wait(t, "\tbuild web\tpushed\n")
	w.Print(run.ID, "deploy qa", "live at last")
	out.wait(t, "\tdeploy qa\tlive at last\n")
	w.End(run.ID, batuta.RunSucceeded)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := connect(t, w.URL, "ana").Log(t.Context(), run.ID, "bild web", false, io.Discard); !errors.Is(err, batuta.NotFound) || !strings.Contains(err.Error(), `no step "bild web"`) {
		t.Errorf("a step that it never had: %v", err)
	}
}

func TestLogOfOneStepGoesOnWhereItBroke(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	w.Hold()
	run, err := connect(t, w.URL, "ana").Start(t.Context(), "portal", "main", "")
	if err != nil {
		t.Fatal(err)
	}
	proxy := newBreaker(t, w.URL)
	out, done := newShower(), make(chan error, 1)
	go func() { done <- connect(t, proxy.URL, "ana").Log(t.Context(), run.ID, "build web", true, out) }()
	out.wait(t, "pushed")
	for _, line := range []string{"first", "second", "third"} {
		proxy.CloseClientConnections()
		w.Print(run.ID, "build web", line)
		w.Print(run.ID, "other", line)
		out.wait(t, line)
	}
	w.End(run.ID, batuta.RunFailed)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if asked := proxy.asked.Load(); asked < 4 {
		t.Errorf("the log was asked for %d times", asked)
	}
	var steps, texts []string
	for line := range strings.Lines(out.String()) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		steps, texts = append(steps, f[1]), append(texts, f[2])
	}
	if got := strings.Join(texts, "|"); got != "step 1/2 FROM node:22|step 2/2 COPY . .|pushed|first|second|third" {
		t.Errorf("%v %s", steps, got)
	}
}

// breaker is a proxy whose connections can be cut.
type breaker struct {
	*httptest.Server
	asked atomic.Int32
}

func newBreaker(t *testing.T, target string) *breaker {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	b, proxy := &breaker{}, httputil.NewSingleHostReverseProxy(u)
	proxy.FlushInterval = -1
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

func TestLogStopsWithItsContextAndItsWriter(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	w.Hold()
	run, err := connect(t, w.URL, "ana").Start(t.Context(), "portal", "main", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	out, done := newShower(), make(chan error, 1)
	go func() { done <- connect(t, w.URL, "ana").Log(ctx, run.ID, "", true, out) }()
	out.wait(t, "pushed")
	stop := errors.New("enough")
	cancel(stop)
	if err := <-done; !errors.Is(err, stop) {
		t.Error(err)
	}
	r, pipe := io.Pipe()
	_ = r.CloseWithError(io.ErrClosedPipe)
	if err := connect(t, w.URL, "ana").Log(t.Context(), run.ID, "", true, pipe); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
