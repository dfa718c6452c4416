package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/examples"
	"batuta/internal/api/client"
	"batuta/internal/config"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// staticBinary is Batuta as it is released: one static file.
var staticBinary = sync.OnceValues(func() (string, error) {
	path, err := filepath.Abs("../../bin/batuta-under-test")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build batuta: %w\n%s", err, out)
	}
	return path, nil
})

func binary(t *testing.T) string {
	t.Helper()
	path, err := staticBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// site is a server on the lab, with its server.yml and its ships.
type site struct {
	dir     string
	file    string // server.yml
	url     string
	address string
	token   string
	ships   []lab.Ship
	client  *client.Client
	wrap    func(pipeline.Store) pipeline.Store // of the server that serve runs; nil: the store as it is
}

// siteToken opens every test's server.
const siteToken = "a-token-for-the-tests-only"

// newSite writes the server.yml of a server at a free port of the lab's
// network. QA has the first ship, production the others. More is added to the
// file as it is.
func newSite(t *testing.T, builder string, ships []lab.Ship, app batuta.AppName, more string) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), token: siteToken, ships: ships}
	s.address = fmt.Sprintf("%s:%d", lab.Machine, lab.FreePort(t, lab.Machine))
	s.url = "http://" + s.address
	var text strings.Builder
	fmt.Fprintf(&text, "listen: %s\ndata: %s\nbuilder: %q\nships:\n", s.address, filepath.Join(s.dir, "data"), builder)
	for i, ship := range ships {
		role, endpoint := "production", ship.TCP
		if i == 0 {
			role, endpoint = "qa", ship.Endpoint // both ways to reach a ship
		}
		fmt.Fprintf(&text, "  %s: {endpoint: %q, address: %s, labels: {role: %s}}\n", ship.Name, endpoint, ship.Address, role)
	}
	fmt.Fprintf(&text, "people:\n  ana: {token: %s, may: admin}\napps:\n  %s: {environments: {qa: {ships: {role: qa}}, production: {ships: {role: production}}}}\n%s", s.token, app, more)
	s.file = filepath.Join(s.dir, "server.yml")
	if err := os.WriteFile(s.file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.client, err = client.New(s.url, s.token); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.sweep(t, app) })
	return s
}

// variant is a server.yml that listens at another port, with its data in dir.
func (s *site) variant(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.NewReplacer(s.address, "127.0.0.1:0", filepath.Join(s.dir, "data"), dir).Replace(string(text))
	file := filepath.Join(t.TempDir(), "server.yml")
	if err := os.WriteFile(file, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// sweep takes everything of the app off the ships.
func (s *site) sweep(t *testing.T, app batuta.AppName) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	for _, ship := range s.ships {
		for _, kind := range []string{"container", "network"} { // in this order: a network in use stays
			ids := strings.Fields(onShip(ctx, t, ship, kind, "ls", "--quiet", "--filter", "label=batuta.app="+string(app)))
			if kind == "container" {
				ids = strings.Fields(onShip(ctx, t, ship, kind, "ls", "--all", "--quiet", "--filter", "label=batuta.app="+string(app)))
			}
			if len(ids) > 0 {
				onShip(ctx, t, ship, append([]string{kind, "rm"}, flagged(kind, ids)...)...)
			}
		}
	}
}

func flagged(kind string, ids []string) []string {
	if kind == "container" {
		return append([]string{"--force", "--volumes"}, ids...)
	}
	return ids
}

// onShip runs Docker's own command against a ship.
func onShip(ctx context.Context, t *testing.T, ship lab.Ship, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "docker", append([]string{"--host", ship.Endpoint}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("docker %s on %s: %v: %s", strings.Join(args, " "), ship.Name, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// serve runs the site's server in this process until the test ends.
func (s *site) serve(t *testing.T) *server {
	t.Helper()
	cfg, err := config.Load(s.file)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	running, err := newServer(t.Context(), cfg, parts{log: log, binary: binary(t), wrap: s.wrap})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- running.Run(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, running.Close()); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
	return running
}

// workingCopy is a repository with an example in it, under another name.
type workingCopy struct {
	t   *testing.T
	dir string
}

// newWorkingCopy commits a copy of examples/name as the app, without its
// tests, which would only take time.
func (s *site) newWorkingCopy(t *testing.T, name string, app batuta.AppName) *workingCopy {
	t.Helper()
	w := s.newExample(t, name, app)
	recipe, err := os.ReadFile(filepath.Join(w.dir, "batuta.yml"))
	if err != nil {
		t.Fatal(err)
	}
	images, rest, _ := strings.Cut(string(recipe), "test:\n")
	_, promote, _ := strings.Cut(rest, "\npromote:")
	images = regexp.MustCompile(`  tests: .*\n`).ReplaceAllString(images, "")
	w.edit("batuta.yml", string(recipe), images+"promote:"+promote)
	return w
}

// newExample commits a copy of examples/name as the app.
func (s *site) newExample(t *testing.T, name string, app batuta.AppName) *workingCopy {
	t.Helper()
	files, err := fs.Sub(examples.Files, name)
	if err != nil {
		t.Fatal(err)
	}
	w := &workingCopy{t, filepath.Join(t.TempDir(), name)}
	if err := os.CopyFS(w.dir, files); err != nil {
		t.Fatal(err)
	}
	lab.Git(t, w.dir, "init", "--quiet")
	remote := &url.URL{Scheme: "http", Host: s.address, User: url.UserPassword("token", s.token), Path: "/git/" + string(app) + ".git"}
	lab.Git(t, w.dir, "remote", "add", "origin", remote.String())
	was := map[string]string{"static": "app: hello", "node": "app: clock", "python": "app: notes", "ruby": "app: guestbook", "drupal": "app: portal"}[name]
	w.edit("batuta.yml", was, "app: "+string(app))
	return w
}

// edit replaces a text of a file, which must be there, and commits.
func (w *workingCopy) edit(file, from, to string) batuta.Revision {
	w.t.Helper()
	path := filepath.Join(w.dir, file)
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(from)) {
		w.t.Fatalf("%s does not have %q", file, from)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600); err != nil {
		w.t.Fatal(err)
	}
	lab.Git(w.t, w.dir, "add", "--all")
	lab.Git(w.t, w.dir, "commit", "--quiet", "--message", "Edit "+file)
	return batuta.Revision(lab.Git(w.t, w.dir, "rev-parse", "HEAD"))
}

func (w *workingCopy) push() { w.t.Helper(); lab.Git(w.t, w.dir, "push", "--quiet", "origin", "main") }

// pushed pushes and gives the run that came of it.
func (s *site) pushed(t *testing.T, app batuta.AppName, w *workingCopy) batuta.Run {
	t.Helper()
	w.push()
	head := batuta.Revision(lab.Git(t, w.dir, "rev-parse", "HEAD"))
	runs, err := s.client.Runs(t.Context(), app, "", 1)
	if err != nil || len(runs) == 0 || runs[0].Push.Revision != head {
		t.Fatalf("after the push the newest run is %+v (%v), want one of %s", runs, err, head)
	}
	return runs[0]
}

// runTime bounds how long a run of the tests may take, a cold build included.
const runTime = 3 * time.Minute

// ended waits for the end of a run.
func (s *site) ended(t *testing.T, id batuta.RunID) batuta.Run {
	t.Helper()
	var run batuta.Run
	lab.Wait(t, runTime, func() (err error) {
		if run, err = s.client.Run(t.Context(), id); err == nil && !run.Status.Ended() {
			err = fmt.Errorf("run %d is %s", id, run.Status)
		}
		return err
	})
	return run
}

func (s *site) succeeds(t *testing.T, id batuta.RunID) batuta.Run {
	t.Helper()
	run := s.ended(t, id)
	if run.Status != batuta.RunSucceeded {
		t.Fatalf("run %d %s: %s", id, run.Status, run.Error)
	}
	return run
}

// environment is what an environment runs.
func (s *site) environment(t *testing.T, app batuta.AppName, env batuta.EnvironmentName) ([]batuta.ContainerState, bool) {
	t.Helper()
	all, err := s.client.Status(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Environment == env {
			return e.Containers, e.Healthy
		}
	}
	t.Fatalf("%s has no environment %s", app, env)
	return nil, false
}

// answers wants every instance of an environment to answer with the text.
func (s *site) answers(t *testing.T, app batuta.AppName, env batuta.EnvironmentName, instances int, text string) []batuta.ContainerState {
	t.Helper()
	containers, healthy := s.environment(t, app, env)
	if len(containers) != instances || !healthy {
		t.Fatalf("%s has %d containers (healthy: %v), want %d: %+v", env, len(containers), healthy, instances, containers)
	}
	for _, c := range containers {
		if len(c.URLs) != 1 {
			t.Fatalf("%s has the addresses %q", c.Instance, c.URLs)
		}
		body, err := get(t.Context(), c.URLs[0])
		if err != nil || !strings.Contains(body, text) {
			t.Errorf("%s of %s answers %q (%v), want %q", c.Instance, env, body, err, text)
		}
	}
	return containers
}
