package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/builder"
	"batuta/deployer"
	"batuta/deployer/shiptest"
	"batuta/deployer/trial"
	"batuta/internal/config"
	"batuta/internal/gitsource"
	"batuta/internal/lab"
	"batuta/internal/store"
	"batuta/pipeline"
)

// The tests of this file run the pipeline on its real store, with sources,
// builds and ships in memory: what a run does, in every order of events. The
// real ones follow in chain_test.go.

const testApp = batuta.AppName("shop")

// works is a pipeline and the world around it.
type works struct {
	*pipeline.Pipeline
	store *store.DB
	logs  *pipeline.FileLogs
	world *world
}

// world outlives a server: what is outside it.
type world struct {
	dir    string
	ships  map[batuta.ShipName]*shiptest.Fake
	atOnce int
	every  time.Duration // between two looks at all environments
	ask    time.Duration // between two questions what the bases are now
	keep   int           // releases whose images stay on the ships

	mu      sync.Mutex
	files   map[string]string // of every revision
	fetches int
	builds  []batuta.Revision
	onFetch func(context.Context) error
	onBuild func(context.Context, builder.Request) error
	notices []pipeline.Notice
	onTell  func()
	tells   pipeline.Notifier                                // nil: the world takes note itself
	poll    time.Duration                                    // from one look at the repository to the next
	message string                                           // of every commit; empty: one that names the ref
	refs    gitsource.Refs                                   // where the repository's refs are
	changed func(from, to batuta.Revision) ([]string, error) // nil: everything is new
	merged  func(base, head batuta.Revision) batuta.Revision
	tests   []trial.Request // that were run
	onTest  func(context.Context, trial.Request) (trial.Report, error)
	down    map[batuta.ShipName]bool             // ships that do not answer
	sick    bool                                 // what is started exits
	bases   func(builder.Request) []builder.Base // what is built from; nil: nothing
	moved   map[string]batuta.Digest             // what tags mean that were moved
	crew    []batuta.AppName                     // apps beside testApp, with the same grants

	includes []batuta.AppName                        // whose pipelines all apps may include
	floors   map[batuta.EnvironmentName]batuta.Stage // the rules of promotions that server.yml has
	notify   *config.Config                          // whose notify tells; nil: nobody has a name there
	signer   pipeline.Signer                         // nil: nothing is signed
}

const (
	recipe = `
app: shop
images: {web: {dockerfile: Dockerfile, secrets: [npm]}}
on: {push: {branches: [main, "release/*"]}}
promote: [qa, production]
`
	qaDocument = `
batuta: 1
services:
  web: {build: web, count: 1, on: {role: qa}, ports: {http: 8080}, env: {KEY: "${secret:npm}"}}
`
	productionDocument = `
batuta: 1
services:
  web: {build: web, count: 2, on: {role: production}, ports: {http: 8080}}
`
	npmSecret = "npm-secret-token"
)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), atOnce: 4, down: map[batuta.ShipName]bool{}, ships: map[batuta.ShipName]*shiptest.Fake{}, files: map[string]string{
		"batuta.yml": recipe, "environments/qa.yml": qaDocument, "environments/production.yml": productionDocument,
	}}
	for _, name := range []batuta.ShipName{"a", "b", "c"} {
		w.ships[name] = shiptest.New(name)
		w.ships[name].Before = w.answers
	}
	return w
}

// Fetch writes the files of the world, in the name of the repository's app.
func (w *world) Fetch(ctx context.Context, of gitsource.Repository, ref string, rev batuta.Revision, dir string) (gitsource.Tree, error) {
	w.mu.Lock()
	w.fetches++
	hook, files := w.onFetch, w.files
	w.mu.Unlock()
	if hook != nil {
		if err := hook(ctx); err != nil {
			return gitsource.Tree{}, err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return gitsource.Tree{}, err
	}
	for name, text := range files {
		if name == "batuta.yml" {
			text = strings.Replace(text, "app: "+string(testApp), "app: "+of.URL, 1)
		}
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			return gitsource.Tree{}, err
		}
	}
	if rev == "" {
		rev = revision(ref)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	message := cmp.Or(w.message, "commit of "+ref)
	return gitsource.Tree{Dir: dir, Revision: rev, Message: message, Text: message + "\n"}, nil
}

// Refs is where the repository's refs are.
func (w *world) Refs(context.Context, gitsource.Repository) (gitsource.Refs, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return gitsource.Refs{Default: w.refs.Default, Tips: maps.Clone(w.refs.Tips)}, nil
}

// Test passes what the test lets pass.
func (w *world) Test(ctx context.Context, r trial.Request, log io.Writer) (trial.Report, error) {
	w.mu.Lock()
	w.tests = append(w.tests, r)
	hook := w.onTest
	w.mu.Unlock()
	fmt.Fprintln(log, "testing", r.Test.Name)
	if hook != nil {
		return hook(ctx, r)
	}
	return trial.Report{Passed: true, Attempts: 1}, nil
}

// Build makes an image whose digest tells the revision.
func (w *world) Build(ctx context.Context, r builder.Request, log io.Writer) (builder.Result, error) {
	w.mu.Lock()
	w.builds = append(w.builds, r.Revision)
	hook, bases := w.onBuild, w.bases
	w.mu.Unlock()
	fmt.Fprintf(log, "building with %s\n", r.Secrets["npm"])
	if hook != nil {
		if err := hook(ctx, r); err != nil {
			return builder.Result{}, err
		}
	}
	image := batuta.Image{Repository: r.Repository, Digest: batuta.Digest("sha256:" + strings.Repeat("0", 24) + string(r.Revision))}
	result := builder.Result{Image: image, Provenance: []byte(`{"buildDefinition":{}}`)}
	if bases != nil {
		result.Bases = bases(r)
	}
	return result, ctx.Err()
}

// Pin knows what hub.example.edu has, and the server's own registry: everything.
func (w *world) Pin(_ context.Context, _ batuta.AppName, reference string) (batuta.Image, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if digest, moved := w.moved[reference]; moved {
		return batuta.Image{Repository: pinned(reference).Repository, Digest: digest}, nil
	}
	if strings.HasPrefix(reference, "hub.example.edu/") || strings.HasPrefix(reference, "registry.example.edu/") {
		return pinned(reference), nil
	}
	return batuta.Image{}, &batuta.Error{Kind: batuta.NotFound, Message: "no image " + reference}
}

// pinned is the image of a reference with a tag.
func pinned(reference string) batuta.Image {
	repository := reference[:strings.LastIndex(reference, ":")]
	return batuta.Image{Repository: repository, Digest: batuta.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(reference))))}
}

// edit replaces a text in a file of the repository.
func (w *world) edit(file, from, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	files := maps.Clone(w.files)
	files[file] = strings.Replace(files[file], from, to, 1)
	w.files = files
}

func (w *world) built() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.builds)
}

// revision is a commit hash made of a word.
func revision(word string) batuta.Revision {
	return batuta.Revision(fmt.Sprintf("%040x", fmt.Sprintf("%.20s", word))[:40])
}

// open starts a server's worth of pipeline on the world's database.
func (w *world) open(t *testing.T, wrap func(pipeline.Store) pipeline.Store) *works {
	t.Helper()
	db, err := store.Open(t.Context(), w.dir)
	if err != nil {
		t.Fatal(err)
	}
	logs, err := pipeline.NewFileLogs(filepath.Join(w.dir, "logs"))
	if err != nil {
		t.Fatal(err)
	}
	ships, infos, harbour := map[batuta.ShipName]deployer.Ship{}, map[string][]deployer.ShipInfo{}, map[batuta.ShipName]pipeline.Ship{}
	for name, ship := range w.ships {
		ships[name], harbour[name] = ship, pipeline.Ship{Address: string(name) + ".example.edu", Reporter: ship}
		role := map[batuta.ShipName]string{"a": "qa"}[name]
		if role == "" {
			role = "production"
		}
		infos[role] = append(infos[role], deployer.ShipInfo{Name: name, Address: string(name) + ".example.edu", Labels: map[string]string{"role": role, "name": string(name)}})
	}
	kept := pipeline.Store(db)
	if wrap != nil {
		kept = wrap(kept)
	}
	tells := w.tells
	if tells == nil {
		tells = w
	}
	apps := map[batuta.AppName]pipeline.App{}
	for _, name := range append([]batuta.AppName{testApp}, w.crew...) {
		apps[name] = w.app(name, infos)
	}
	p := pipeline.New(pipeline.Config{
		Apps:  apps,
		Store: kept, Source: w, Remote: w, Tester: w, Builder: w, Pinner: w, Signer: w.signer, Fleet: deployer.New(ships, deployer.Options{Settle: time.Millisecond, SettleBlindly: time.Millisecond}),
		Logs: logs, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Dir: filepath.Join(w.dir, "runs"), Key: []byte("key"),
		AtOnce: w.atOnce, Retries: 2, Backoff: time.Millisecond,
		Ships: harbour, Notifier: tells, Every: w.every, BasesEvery: w.ask, Pulse: 10 * time.Millisecond,
	})
	return &works{p, db, logs, w}
}

// app is what the server grants an app, on ships by their role.
func (w *world) app(name batuta.AppName, ships map[string][]deployer.ShipInfo) pipeline.App {
	return pipeline.App{
		Name: name, Repository: gitsource.Repository{URL: string(name)}, Images: "registry.example.edu/" + string(name), Registry: "registry.example.edu", Secrets: map[string]string{"npm": npmSecret}, Keep: w.keep, Poll: w.poll,
		Includes: w.includes, Listeners: w.listeners(name), Floors: w.floors,
		Grants: map[batuta.EnvironmentName]pipeline.Grant{
			"qa": {Ships: ships["qa"]}, "preview": {Ships: ships["qa"]}, "production": {Ships: ships["production"]},
		},
	}
}

// work lets the pipeline work, and tell of it, until the returned function is
// called, which waits for it.
func (s *works) work(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { s.Work(ctx) })
	working.Go(func() { s.Post(ctx) })
	working.Go(func() { s.Schedule(ctx) })
	stop = sync.OnceFunc(func() { cancel(); working.Wait(); _ = s.store.Close() })
	t.Cleanup(stop)
	return stop
}

func (w *world) start(t *testing.T) *works {
	t.Helper()
	s := w.open(t, nil)
	s.work(t)
	return s
}

func (s *works) push(t *testing.T, word string) batuta.RunID {
	t.Helper()
	return s.deliver(t, batuta.Push{App: testApp, Forge: "gitea", Delivery: word, Ref: "refs/heads/main", Revision: revision(word), Sender: "ana", Received: time.Now()})
}

func (s *works) deliver(t *testing.T, p batuta.Push) batuta.RunID {
	t.Helper()
	r, err := s.Deliver(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return r.Run
}

// ended waits for a run to end and gives it.
func (s *works) ended(t *testing.T, id batuta.RunID) batuta.Run {
	t.Helper()
	var run batuta.Run
	lab.Wait(t, 20*time.Second, func() (err error) {
		if run, err = s.store.Run(t.Context(), id); err == nil && !run.Status.Ended() {
			err = fmt.Errorf("run %d is %s", id, run.Status)
		}
		return err
	})
	return run
}

func (s *works) succeeds(t *testing.T, id batuta.RunID) batuta.Run {
	t.Helper()
	run := s.ended(t, id)
	if run.Status != batuta.RunSucceeded {
		t.Fatalf("run %d: %s: %s", id, run.Status, run.Error)
	}
	return run
}

func (s *works) fails(t *testing.T, id batuta.RunID, why string) batuta.Run {
	t.Helper()
	run := s.ended(t, id)
	if run.Status != batuta.RunFailed || !strings.Contains(run.Error, why) {
		t.Fatalf("run %d: %s: %s; want it to fail with %q", id, run.Status, run.Error, why)
	}
	return run
}

func (s *works) order(t *testing.T, o pipeline.Order) batuta.RunID {
	t.Helper()
	o.App, o.By = testApp, "ana"
	id, err := s.Order(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// running lists what runs of an environment, as instance@ship=revision.
func (w *world) running(env batuta.EnvironmentName) []string {
	var list []string
	for _, ship := range []batuta.ShipName{"a", "b", "c"} {
		for _, c := range w.ships[ship].All() {
			if c.Scope.Environment == env {
				list = append(list, fmt.Sprintf("%s@%s=%s:%s", c.Instance, ship, strings.TrimLeft(strings.TrimPrefix(string(c.Image.Digest), "sha256:"), "0"), c.State))
			}
		}
	}
	return list
}

func (s *works) log(t *testing.T, id batuta.RunID) string {
	t.Helper()
	var out bytes.Buffer
	if err := s.logs.Follow(t.Context(), id, 0, func() bool { return true }, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func want(t *testing.T, got []string, words ...string) {
	t.Helper()
	if len(got) != len(words) {
		t.Fatalf("got %q, want %q", got, words)
	}
	for i, word := range words {
		place, rev, _ := strings.Cut(word, "=")
		hash := strings.TrimLeft(string(revision(rev)), "0")
		if got[i] != place+"="+hash+":running" {
			t.Fatalf("got %q, want %q (%s is %s)", got, words, rev, hash)
		}
	}
}
