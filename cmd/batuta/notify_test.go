package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/internal/config"
	"batuta/internal/lab"
	"batuta/internal/notify"
	"batuta/pipeline"
)

// TestPeopleAreToldHowARunEnded has the pipeline tell of a release that is live
// and of a run that failed.
func TestPeopleAreToldHowARunEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	live := s.succeeds(t, s.push(t, "one"))
	w.edit("environments/qa.yml", "build: web", "biuld: web")
	failed := s.fails(t, s.push(t, "two"), "biuld")
	lab.Wait(t, 10*time.Second, func() error { // the end of a run is saved before it is told
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.notices) < 2 {
			return errors.New("too few notices")
		}
		return nil
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	one, two := w.notices[0], w.notices[1]
	if one.Kind != pipeline.WentLive || one.Run != live.ID || one.Environment != "qa" || one.Text != "release 1 is live in qa" {
		t.Errorf("of the first run people are told %+v", one)
	}
	if two.Kind != pipeline.RunFailed || two.Run != failed.ID || two.Text != failed.Error {
		t.Errorf("of the second run people are told %+v", two)
	}
}

// TestAWebhookIsTold brings notices to a webhook of server.yml that wants to
// know of one topic only.
func TestAWebhookIsTold(t *testing.T) {
	t.Parallel()
	bodies := make(chan []byte, 10)
	ear := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- body
	}))
	t.Cleanup(ear.Close)
	c, err := config.Parse("server.yml", []byte("url: https://batuta.example.edu\nships: {a: {endpoint: unix:///run/docker.sock}}\nnotify: [{url: "+ear.URL+", on: [failed]}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{config: c, log: slog.New(slog.NewTextHandler(t.Output(), nil)), told: notify.New(webhooksOf(c), slog.Default())}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { s.told.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	for _, n := range []pipeline.Notice{
		{Kind: pipeline.ShipLost, Ship: "a"}, {Kind: pipeline.WentLive, App: "shop", Run: 6},
		{Kind: pipeline.RunFailed, App: "shop", Run: 7, Text: "no such image"},
	} {
		if err := (notifier{s}).Notify(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	var got notify.Message
	select {
	case body := <-bodies:
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the webhook was told nothing")
	}
	want := notify.Message{Topic: "failed", Kind: "run failed", App: "shop", Run: batuta.RunID(7), URL: "https://batuta.example.edu/runs/7", Text: "no such image"}
	if got != want {
		t.Errorf("told %+v, want %+v", got, want)
	}
}
