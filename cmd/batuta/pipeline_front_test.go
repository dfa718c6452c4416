package main

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
	"batuta/internal/api"
	"batuta/internal/config"
	"batuta/internal/lab"
	"batuta/internal/signing"
	"batuta/pipeline"
)

// frontToken is the token of one of the people who come to a front.
func frontToken(name string) string { return "token-of-" + name + "-0123456789" }

// front serves what a server serves, before a pipeline whose ships are in
// memory, and gives its URL.
func (s *works) front(t *testing.T) string {
	t.Helper()
	people := map[string]config.Person{}
	for name, may := range map[string]config.Right{"luis": config.Deploy, "ben": config.Admin} {
		people[name] = config.Person{Token: config.NewSecret(frontToken(name)), May: may}
	}
	apps := map[batuta.AppName]config.App{}
	for name := range s.Apps {
		apps[name] = config.App{
			WebhookSecrets: []config.Secret{config.NewSecret("an-older-secret-of-the-hook"), config.NewSecret(hookSecret)},
			Credentials:    config.Credentials{Token: config.NewSecret(forgeToken)},
			Secrets:        map[string]config.Secret{"DB": config.NewSecret(dbPassword), "KEY": config.NewSecret(longKey())},
		}
	}
	key, err := signing.Open(filepath.Join(t.TempDir(), "key"), func() (signing.Older, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	behind := &server{
		signing: key,
		config:  &config.Config{Apps: apps, People: people, Dashboard: config.Dashboard{Anonymous: true}}, log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		gate: api.NewGate(people), store: s.store, logs: s.logs, pipeline: s.Pipeline, stopping: make(chan struct{}),
	}
	if err := behind.openHandler(t.Context(), parts{}); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(behind.handler)
	t.Cleanup(func() {
		web.Close()
		if err := behind.Close(); err != nil {
			t.Error(err)
		}
	})
	return web.URL
}

// as runs the command against a front, for a person.
func as(t *testing.T, who, url string, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	env := map[string]string{"HOME": t.TempDir(), "BATUTA_URL": url, "BATUTA_TOKEN": frontToken(who)}
	code, stdout, stderr := call(t, env, args...)
	if code != want {
		t.Fatalf("batuta %s by %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), who, code, want, stdout, stderr)
	}
	return stdout, stderr
}

// pinnedTo has production run a database on one ship, by name.
func (w *world) pinnedTo(ship batuta.ShipName) {
	w.edit("environments/production.yml", "services:", `services:
  db: {image: "registry.example.edu/shop/db@sha256:`+strings.Repeat("1", 64)+`", instances: {db: {ship: `+string(ship)+`}}}`)
}

func TestADrainThatLeavesSomethingFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pinnedTo("b")
	s := w.start(t)
	s.inProduction(t)
	out, errs := as(t, "ben", s.front(t), 5, "ship", "drain", "b", "--why", "new disk")
	contains(t, out, "db of shop production stays: its document names the ship", "run 3 succeeded")
	contains(t, errs, "b is not empty: it has 1 of shop production", "`batuta ships b`", "has to be moved there")
	if c := w.running("production"); len(c) != 3 || !strings.HasPrefix(c[0], "db@b=") || !strings.HasPrefix(c[1], "web-1@c=") || !strings.HasPrefix(c[2], "web-2@c=") {
		t.Errorf("after the drain production runs %q", c)
	}
}

func TestWhoMayNotCordonIsInTheTrail(t *testing.T) {
	t.Parallel()
	s := newWorld(t).start(t)
	url := s.front(t)
	_, errs := as(t, "luis", url, 4, "ship", "cordon", "b", "--why", "because")
	contains(t, errs, "luis may not admin")
	lines := s.audited(t, "cordon refused")
	if len(lines) != 1 || lines[0].By != "luis" || lines[0].Object != "b" || lines[0].Detail != "luis may not admin" {
		t.Errorf("the trail has %+v", lines)
	}
	if ships, err := s.store.Ships(t.Context()); err != nil || ships["b"].Mark != pipeline.Open {
		t.Errorf("b is %+v (%v)", ships["b"], err)
	}
	as(t, "luis", url, 0, "ships") // who only looks leaves no line
	as(t, "ben", url, 0, "ship", "cordon", "b")
	if again := s.audited(t, "cordon refused"); len(again) != 1 {
		t.Errorf("the trail has %+v", again)
	}
}

// TestADrainOutlivesTheServer has the server die before and after its run has
// moved what is on the ship: the next one empties it, with nothing doubled.
func TestADrainOutlivesTheServer(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]batuta.StepStatus{"as it begins to move": batuta.StepRunning, "as it has moved": batuta.StepSucceeded} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			dead, draining := &atomic.Bool{}, &atomic.Bool{}
			s := w.open(t, func(kept pipeline.Store) pipeline.Store {
				return faltering{Store: kept, dead: dead, fatal: func(step batuta.Step) bool {
					return draining.Load() && step.Name == "deploy production" && step.Status == status
				}}
			})
			stop := s.work(t)
			s.inProduction(t)
			draining.Store(true)
			d, err := s.Drain(t.Context(), "b", "ben", "new disk")
			if err != nil || len(d.Runs) != 1 {
				t.Fatalf("the drain is %+v (%v)", d, err)
			}
			lab.Wait(t, 20*time.Second, func() error {
				if !dead.Load() {
					return fmt.Errorf("run %d goes on", d.Runs[0])
				}
				return nil
			})
			stop()
			s = w.start(t)
			s.succeeds(t, d.Runs[0])
			want(t, w.running("production"), "web-1@c=one", "web-2@c=one")
			if ships, err := s.store.Ships(t.Context()); err != nil || ships["b"].Mark != pipeline.Draining || ships["b"].By != "ben" {
				t.Errorf("b is %+v (%v)", ships["b"], err)
			}
		})
	}
}

// TestAnEnvironmentThatCannotBeResolvedIsShown takes a ship out of server.yml
// that the live document names.
func TestAnEnvironmentThatCannotBeResolvedIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pinnedTo("c")
	w.edit("environments/production.yml", "count: 2", "count: 1")
	s := w.open(t, nil)
	stop := s.work(t)
	s.inProduction(t)
	stop()
	delete(w.ships, "c")
	s = w.start(t)
	url := s.front(t)
	const why = `environments/production.yml:4:142: services.db.instances.db.ship: no ship "c"`
	out, _ := as(t, "luis", url, 0, "status")
	contains(t, out, "shop  qa", "shop production:", why)
	out, _ = as(t, "luis", url, 0, "status", "shop")
	contains(t, out, "unhealthy", why, "web-1")
	page, err := get(t.Context(), url+"/")
	if err != nil {
		t.Fatal(err)
	}
	contains(t, page, "production", "no ship")
}

// TestHistoryOutlivesTheServer has every kind of event happen, and reads them
// from the next server.
func TestHistoryOutlivesTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("environments/qa.yml", "ports: {http: 8080}", "ports: {http: 8080}, lifecycle: {running: [{type: tcp, port: http, max_wait: 1s}]}")
	s := w.open(t, nil)
	stop := s.work(t)
	s.watch(t)
	s.succeeds(t, s.push(t, "one"))
	s.succeeds(t, s.push(t, "two")) // the first is replaced, stopped and removed
	w.ships["a"].Crash(w.instance(t, "a", "web-1").ID, 42)
	w.ships["a"].Behave = func(i deployer.Instance) shiptest.Behaviour {
		return shiptest.Behaviour{NeverReady: strings.Contains(string(i.Image.Digest), string(revision("bad")))}
	}
	s.fails(t, s.push(t, "bad"), "rolled back")
	every := []deployer.EventKind{deployer.Created, deployer.Started, deployer.Ready, deployer.Unready, deployer.Stopped, deployer.Crashed, deployer.Replaced, deployer.Removed}
	history := func(s *works) []pipeline.Event {
		all, err := s.History(t.Context(), testApp, "qa", pipeline.EventFilter{Limit: 500})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	var before []pipeline.Event
	lab.Wait(t, 10*time.Second, func() error {
		before = history(s)
		seen := map[deployer.EventKind]bool{}
		for _, e := range before {
			seen[e.Kind] = true
		}
		for _, kind := range every {
			if !seen[kind] {
				return fmt.Errorf("nothing was %s; there is %v", kind, slices.Collect(maps.Keys(seen)))
			}
		}
		return nil
	})
	stop()
	s = w.start(t)
	after := history(s)
	for _, e := range before {
		if !slices.Contains(after, e) {
			t.Errorf("the next server does not know of %+v", e)
		}
	}
}
