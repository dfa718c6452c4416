package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"batuta"
	"batuta/internal/api"
	"batuta/internal/lab"
	"batuta/internal/store"
)

// command runs the command line in this process, and gives its exit code and
// what it said.
func command(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var said bytes.Buffer
	p := &program{stdin: strings.NewReader(""), stdout: &said, stderr: &said, getenv: os.Getenv, now: time.Now}
	code := p.run(t.Context(), args)
	return code, said.String()
}

// TestBackupAndRestore copies a server that takes in pushes, and restores the
// copy on an empty machine, the old one and all that was on the ships being
// gone: its releases, its images and its audit trail are there, and what QA ran
// is promoted to ships that never had it.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-backup")
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), app, "")
	old := s.start(t, "")
	w := s.newWorkingCopy(t, "static", app)
	s.succeeds(t, s.pushed(t, app, w).ID)
	before, err := s.client.Releases(t.Context(), app, 10)
	if err != nil || len(before) != 1 {
		t.Fatalf("releases before: %+v (%v)", before, err)
	}

	key, err := s.client.Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "server.batuta")
	stop := w.keepPushing(t)
	code, said := command(t, "backup", "--config", s.file, file)
	stop()
	if code != 0 {
		t.Fatalf("backup: exit %d: %s", code, said)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup is %v (%v), want it for its owner only", info, err)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) > 0 {
		t.Errorf("the backup left %q", left)
	}
	if code, said := command(t, "restore", "--config", s.file, file); code == 0 || !strings.Contains(said, "in use") {
		t.Errorf("restore where a server runs: exit %d: %s", code, said)
	}
	old.kill(t)
	if code, said := command(t, "restore", "--config", s.file, file); code == 0 || !strings.Contains(said, "not empty") {
		t.Errorf("restore over a server's data: exit %d: %s", code, said)
	}

	data := s.moveTo(t, filepath.Join(t.TempDir(), "empty"))
	s.clearAway(t, app)
	if code, said := command(t, "restore", "--config", s.file, file); code != 0 {
		t.Fatalf("restore: exit %d: %s", code, said)
	}
	auditIsWhole(t, data)
	s.start(t, "")
	if now, err := s.client.Key(t.Context()); err != nil || now != key {
		t.Errorf("releases are signed with %q (%v), were with %q", now, err, key)
	}
	after, err := s.client.Releases(t.Context(), app, 100)
	if err != nil || !slices.ContainsFunc(after, func(r batuta.Release) bool {
		return r.Number == before[0].Number && r.Revision == before[0].Revision
	}) {
		t.Fatalf("releases after: %+v (%v), want %d of %s among them", after, err, before[0].Number, before[0].Revision)
	}
	s.serves(t, before[0])
	s.quiet(t) // what was pushed while the copy was made goes on here
	s.carriesOut(t, app, "qa", api.Order{Kind: batuta.RunDeploy, Release: before[0].Number})
	if run := s.carriesOut(t, app, "production", promotion()); run.Release != before[0].Number {
		t.Errorf("release %d was promoted, want %d", run.Release, before[0].Number)
	}
	if containers, healthy := s.environment(t, app, "production"); len(containers) == 0 || !healthy {
		t.Errorf("production has %+v", containers)
	}
	s.succeeds(t, s.pushed(t, app, w.again()).ID)
}

// keepPushing pushes commits, one after the other, until the returned function
// is called.
func (w *workingCopy) keepPushing(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var pushing sync.WaitGroup
	began := make(chan struct{})
	pushing.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			w.again().push()
			if n == 0 {
				close(began)
			}
		}
	})
	<-began
	return func() { cancel(); pushing.Wait() }
}

// again makes a commit that changes nothing.
func (w *workingCopy) again() *workingCopy {
	w.t.Helper()
	lab.Git(w.t, w.dir, "commit", "--quiet", "--allow-empty", "--message", "Again")
	return w
}

// moveTo gives the server another data directory, as on another machine that
// has taken the address of the first.
func (s *site) moveTo(t *testing.T, data string) string {
	t.Helper()
	text, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	s.file = filepath.Join(t.TempDir(), "server.yml")
	text = bytes.ReplaceAll(text, []byte(filepath.Join(s.dir, "data")), []byte(data))
	if err := os.WriteFile(s.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return data
}

// auditIsWhole checks the chain of the audit trail in a data directory.
func auditIsWhole(t *testing.T, data string) {
	t.Helper()
	db, err := store.Open(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if whole, err := db.VerifyAudit(t.Context()); err != nil || whole == 0 {
		t.Errorf("the audit trail is whole up to %d: %v", whole, err)
	}
}

// serves pulls every image of a release and checks each of its bytes.
func (s *site) serves(t *testing.T, r batuta.Release) {
	t.Helper()
	for _, image := range r.Images {
		reference, err := name.NewDigest(image.String(), name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		pulled, err := remote.Image(reference, remote.WithContext(t.Context()), remote.WithAuth(&authn.Basic{Username: "token", Password: s.token}))
		if err == nil {
			err = validate.Image(pulled)
		}
		if err != nil {
			t.Errorf("pull %s: %v", image, err)
		}
	}
}

// quiet waits until every run has ended.
func (s *site) quiet(t *testing.T) {
	t.Helper()
	lab.Wait(t, runTime, func() error {
		runs, err := s.client.Runs(t.Context(), "", "", 500)
		for _, run := range runs {
			if !run.Status.Ended() {
				err = fmt.Errorf("run %d of %s is %s", run.ID, run.App, run.Status)
			}
		}
		return err
	})
}

// clearAway takes away all that a server had: its data directory, and what it
// put on the ships.
func (s *site) clearAway(t *testing.T, app batuta.AppName) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(s.dir, "data")); err != nil {
		t.Fatal(err)
	}
	s.sweep(t, app)
	for _, ship := range s.ships {
		for image := range strings.FieldsSeq(onShip(t.Context(), t, ship, "image", "ls", "--digests", "--format", "{{.Repository}}@{{.Digest}}")) {
			if strings.HasPrefix(image, s.address+"/") {
				onShip(t.Context(), t, ship, "image", "rm", "--force", image)
			}
		}
	}
}

// TestBackupWithoutTheLargeParts leaves out images and logs: the history is
// there, a release of before cannot be deployed and says why, and a push can.
func TestBackupWithoutTheLargeParts(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-small")
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), app, "")
	old := s.start(t, "")
	w := s.newWorkingCopy(t, "static", app)
	s.succeeds(t, s.pushed(t, app, w).ID)
	file := filepath.Join(t.TempDir(), "small.batuta")
	code, said := command(t, "backup", "--config", s.file, "--without-images", "--without-logs", file)
	if code != 0 || !strings.Contains(said, "without images") {
		t.Fatalf("backup: exit %d: %s", code, said)
	}
	old.kill(t)
	data := s.moveTo(t, filepath.Join(t.TempDir(), "empty"))
	s.clearAway(t, app)
	if code, said := command(t, "restore", "--config", s.file, file); code != 0 || !strings.Contains(said, "has no images") {
		t.Fatalf("restore: exit %d: %s", code, said)
	}
	for _, part := range []string{"logs", "artifacts", "registry/docker"} {
		if _, err := os.Stat(filepath.Join(data, part)); !os.IsNotExist(err) {
			t.Errorf("%s was restored: %v", part, err)
		}
	}

	s.start(t, "")
	releases, err := s.client.Releases(t.Context(), app, 10)
	if err != nil || len(releases) != 1 {
		t.Fatalf("releases after: %+v (%v)", releases, err)
	}
	run, err := s.client.Deploy(t.Context(), app, "qa", api.Order{Kind: batuta.RunDeploy, Release: releases[0].Number})
	if err == nil {
		run = s.ended(t, run.ID)
	}
	if image := releases[0].Images["web"]; err != nil || run.Status != batuta.RunFailed || !strings.Contains(run.Error, string(image.Digest)) {
		t.Errorf("the deployment of what has no image: run %+v (%v)", run, err)
	}
	s.succeeds(t, s.pushed(t, app, w.again()).ID)
	s.carriesOut(t, app, "production", promotion())
}

// carriesOut gives an order and wants it to succeed.
func (s *site) carriesOut(t *testing.T, app batuta.AppName, env batuta.EnvironmentName, o api.Order) batuta.Run {
	t.Helper()
	run, err := s.client.Deploy(t.Context(), app, env, o)
	if err != nil {
		t.Fatal(err)
	}
	return s.succeeds(t, run.ID)
}
