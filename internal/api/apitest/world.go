// Package apitest is a small world behind the API, for tests of what speaks to
// it: an app "portal" with three releases in qa and production, an app "blog"
// that never ran, and people of every right. Orders and runs by hand play
// their story at once, unless the world is held.
package apitest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/internal/api"
	"batuta/internal/config"
	"batuta/pipeline"
)

// Now is the time at which everything in the world happens.
var Now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Key is what the world's releases are signed with.
const Key = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdt3FBNK2GXmqjAsR8JGnQ0W6J3Hk
2Wn3VJ4LhCrgvbmGkQMP5yJlsmNZT8C0cYNkyNDNwJ8IrYKYQ1B8rgbQ4w==
-----END PUBLIC KEY-----
`

// Token is the token of one of the world's people: reader, pusher, ana (who
// deploys portal only), deployer or admin.
func Token(name string) string { return "token-of-" + name + "-0123456789" }

// World is what the API shows and changes.
type World struct {
	URL  string
	Logs *pipeline.FileLogs
	Stop func() // lets the server break off its streams

	mu          sync.Mutex
	runs        []batuta.Run // run n is at n-1
	releases    []batuta.Release
	deployments []batuta.Deployment
	entries     []batuta.Entry
	live        map[batuta.EnvironmentName]batuta.ReleaseNumber
	marks       map[batuta.ShipName]pipeline.ShipRecord
	held        bool
	moves       int                               // of what runs, since the beginning; part of a plan's hash
	restless    int                               // plans after which something moves
	sick        map[batuta.EnvironmentName]string // why an environment is not healthy
	fault       error                             // what every question about runs fails with
}

// New starts a server for a world, which ends with the test. Its own log goes
// to log; nil discards it.
func New(t testing.TB, log *slog.Logger) *World {
	t.Helper()
	logs, err := pipeline.NewFileLogs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	w := &World{Logs: logs, live: map[batuta.EnvironmentName]batuta.ReleaseNumber{}, marks: map[batuta.ShipName]pipeline.ShipRecord{}, sick: map[batuta.EnvironmentName]string{}}
	stopping := make(chan struct{})
	w.Stop = sync.OnceFunc(func() { close(stopping) })
	s := httptest.NewServer(api.New(api.Config{
		Runs: w, Shelf: w, Trail: w, Runner: w, Deployer: w, Harbour: w, Chronicle: w, Postbox: w, Lineage: w, Recipes: w, Logs: logs, Heartbeat: 20 * time.Millisecond, Artifacts: w.Artifacts, Gate: api.NewGate(people()),
		Apps: []api.App{{Name: "blog"}, {Name: "portal", Repository: "https://git.example.edu/portal.git"}}, Version: "1.2.3", Key: Key, Log: log, Stopping: stopping,
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	w.URL = s.URL
	for _, message := range []string{"First page", "A search box", "Faster search"} {
		w.push("refs/heads/main", message, "ana")
	}
	w.deploy(batuta.RunPromotion, "production", 2, "ana")
	return w
}

func people() map[string]config.Person {
	person := func(name string, may config.Right, apps ...batuta.AppName) config.Person {
		return config.Person{Token: config.NewSecret(Token(name)), May: may, Apps: apps}
	}
	return map[string]config.Person{
		"reader": person("reader", config.Read), "pusher": person("pusher", config.Push),
		"ana": person("ana", config.Deploy, "portal"), "deployer": person("deployer", config.Deploy),
		"admin": person("admin", config.Admin), "blogger": person("blogger", config.Deploy, "blog"),
	}
}

// Hold keeps new runs running until End.
func (w *World) Hold() { w.with(func() { w.held = true }) }

// Move lets something change behind everybody's back after each of the next n
// plans.
func (w *World) Move(n int) { w.with(func() { w.restless = n }) }

// Sicken makes an environment of portal unhealthy.
func (w *World) Sicken(env batuta.EnvironmentName, reason string) {
	w.with(func() { w.sick[env] = reason })
}

// Break makes every question about runs fail.
func (w *World) Break(err error) { w.with(func() { w.fault = err }) }

// End ends a held run.
func (w *World) End(id batuta.RunID, status batuta.RunStatus) {
	w.with(func() { w.runs[id-1].Status, w.runs[id-1].Ended = status, Now })
}

// Print adds lines to the log of a run.
func (w *World) Print(id batuta.RunID, step string, lines ...string) {
	out, err := w.Logs.Append(id, step)
	if err == nil {
		_, err = out.Write([]byte(strings.Join(lines, "\n") + "\n"))
	}
	if err != nil || out.Close() != nil {
		panic(fmt.Sprint("print to the log: ", err))
	}
}

func (w *World) with(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func lookup[T any](items []T, n int, what string) (T, error) {
	var none T
	if n < 1 || n > len(items) {
		return none, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("no %s %d", what, n)}
	}
	return items[n-1], nil
}

// newest gives the last limit elements that are wanted, the last one first.
func newest[T any](items []T, limit int, wanted func(T) bool) []T {
	var out []T
	for _, item := range slices.Backward(items) {
		if len(out) < limit && wanted(item) {
			out = append(out, item)
		}
	}
	return out
}

// Runs is api.Runs.
func (w *World) Runs(_ context.Context, apps []batuta.AppName, status batuta.RunStatus, limit int) ([]batuta.Run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := newest(w.runs, limit, func(r batuta.Run) bool {
		return (len(apps) == 0 || slices.Contains(apps, r.App)) && (status == "" || r.Status == status)
	})
	for i := range list {
		list[i].Steps = nil
	}
	return list, w.fault
}

// Run is api.Runs.
func (w *World) Run(_ context.Context, id batuta.RunID) (batuta.Run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault != nil {
		return batuta.Run{}, w.fault
	}
	run, err := lookup(w.runs, int(id), "run")
	run.Steps = slices.Clone(run.Steps)
	return run, err
}

// Release is api.Shelf.
func (w *World) Release(ctx context.Context, app batuta.AppName, n batuta.ReleaseNumber) (batuta.Release, error) {
	all, err := w.Releases(ctx, app, 100)
	for _, r := range all {
		if r.Number == n {
			return r, err
		}
	}
	return batuta.Release{}, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("no release %d of %s", n, app)}
}

// Releases is api.Shelf.
func (w *World) Releases(_ context.Context, app batuta.AppName, limit int) ([]batuta.Release, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return newest(w.releases, limit, func(r batuta.Release) bool { return r.App == app }), nil
}

// Deployments is api.Shelf.
func (w *World) Deployments(_ context.Context, app batuta.AppName, env batuta.EnvironmentName, limit int) ([]batuta.Deployment, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return newest(w.deployments, limit, func(d batuta.Deployment) bool {
		return d.App == app && (env == "" || d.Environment == env)
	}), nil
}

// Entries is api.Trail.
func (w *World) Entries(_ context.Context, app batuta.AppName, limit int) ([]batuta.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return newest(w.entries, limit, func(e batuta.Entry) bool { return app == "" || e.App == app }), nil
}
