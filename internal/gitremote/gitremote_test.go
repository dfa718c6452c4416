package gitremote_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/internal/gitremote"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// wantPushes compares what was delivered, apart from when.
func wantPushes(t *testing.T, got []batuta.Push, want ...batuta.Push) {
	t.Helper()
	for i := range want {
		want[i].App, want[i].Forge = "portal", "git"
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(batuta.Push{}, "Received")); diff != "" {
		t.Errorf("pushes (-want +got):\n%s", diff)
	}
	for _, p := range got {
		if age := time.Since(p.Received); age < -2*time.Second || age > time.Hour {
			t.Errorf("%s received at %v", p.Ref, p.Received)
		}
	}
}

func TestPushIsDeliveredAndToldToThePusher(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), workingCopy(t)
	first := batuta.Revision(git(t, dir, "rev-parse", "HEAD"))

	out := git(t, dir, "push", b.url("anas-token"), "main")
	for _, line := range []string{"remote: batuta: run 1 queued for main", "remote: batuta: https://batuta.example/runs/1"} {
		if !strings.Contains(out, line) {
			t.Errorf("the pusher does not see %q:\n%s", line, out)
		}
	}
	second := commit(t, dir, "second\nand the rest")
	git(t, dir, "push", b.url("ben:bens-token"), "main")
	out = git(t, dir, "push", b.url("bens-token:"), "main")
	if !strings.Contains(out, "up-to-date") {
		t.Errorf("the same push again: %s", out)
	}
	wantPushes(t, b.inbox.all(),
		batuta.Push{Delivery: "refs/heads/main@1", Ref: "refs/heads/main", Revision: first, Sender: "ana", Message: "first"},
		batuta.Push{Delivery: "refs/heads/main@2", Ref: "refs/heads/main", Before: first, Revision: second, Sender: "Ben Ölund", Message: "second and the rest"},
	)
	clone := t.TempDir()
	git(t, clone, "clone", "-q", "--depth=1", "-c", "protocol.version=2", b.url("anas-token"), "copy")
	if got := git(t, filepath.Join(clone, "copy"), "rev-parse", "HEAD"); got != string(second) {
		t.Errorf("clone is at %s, want %s", got, second)
	}
}

func TestEveryKindOfChange(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), workingCopy(t)
	url := b.url("anas-token:")
	first := batuta.Revision(git(t, dir, "rev-parse", "HEAD"))
	git(t, dir, "branch", "topic")
	git(t, dir, "tag", "-a", "-m", "the first version", "v1")
	git(t, dir, "push", url, "main", "topic", "v1")

	git(t, dir, "commit", "-q", "--amend", "-m", "first, better")
	better := batuta.Revision(git(t, dir, "rev-parse", "HEAD"))
	git(t, dir, "push", "--force", url, "main")
	out := git(t, dir, "push", url, ":topic")
	if strings.Contains(out, "batuta:") {
		t.Errorf("a deletion is told of:\n%s", out)
	}
	git(t, dir, "push", url, "main:topic")

	wantPushes(t, b.inbox.all(),
		batuta.Push{Delivery: "refs/heads/main@1", Ref: "refs/heads/main", Revision: first, Sender: "ana", Message: "first"},
		batuta.Push{Delivery: "refs/heads/topic@1", Ref: "refs/heads/topic", Revision: first, Sender: "ana", Message: "first"},
		batuta.Push{Delivery: "refs/tags/v1@1", Ref: "refs/tags/v1", Revision: first, Sender: "ana", Message: "first"},
		batuta.Push{Delivery: "refs/heads/main@2", Ref: "refs/heads/main", Before: first, Revision: better, Sender: "ana", Message: "first, better"},
		batuta.Push{Delivery: "refs/heads/topic@2", Ref: "refs/heads/topic", Before: first},
		batuta.Push{Delivery: "refs/heads/topic@3", Ref: "refs/heads/topic", Revision: better, Sender: "ana", Message: "first, better"},
	)
}

func TestWrongTokenAndUnknownAppLookAlike(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), workingCopy(t)
	ask := func(app, token string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/git/"+app+".git/info/refs?service=git-receive-pack", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.SetBasicAuth(token, "")
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		res.Header.Del("Date")
		body := make([]byte, 1000)
		n, _ := res.Body.Read(body)
		return fmt.Sprint(res.StatusCode, res.Header, string(body[:n]))
	}
	refused := ask("portal", "")
	if !strings.HasPrefix(refused, "401 ") || !strings.Contains(refused, "Basic realm") {
		t.Errorf("without a token: %s", refused)
	}
	for _, c := range [][2]string{{"portal", "wrong"}, {"nothing", "anas-token"}, {"nothing", ""}, {"nothing", "wrong"}} {
		if got := ask(c[0], c[1]); got != refused {
			t.Errorf("%v: %s\nwant %s", c, got, refused)
		}
	}
	if out, err := tryGit(t, dir, "push", b.url("wrong"), "main"); err == nil {
		t.Errorf("pushed with a wrong token:\n%s", out)
	}
	if entries, err := filepath.Glob(filepath.Join(b.config.Dir, "*.git")); err != nil || len(entries) > 0 {
		t.Errorf("a refused request left %v, %v", entries, err)
	}
	wantPushes(t, b.inbox.all())
}

func TestOnlyTheSmartProtocol(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, path := range []string{
		"/git/portal.git/info/refs", "/git/portal.git/HEAD", "/git/portal.git/objects/info/packs", "/git/portal.git/info/refs?service=git-upload-archive",
		"/git/../portal.git/info/refs?service=git-upload-pack", "/git/Portal.git/info/refs?service=git-upload-pack", "/git/", "/portal.git/info/refs",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("anas-token", "")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %s", path, res.Status)
		}
	}
}

func TestServerKilledBeforeRecording(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), workingCopy(t)
	git(t, dir, "push", b.url("anas-token"), "main")
	first := b.inbox.all()[0].Revision
	second := commit(t, dir, "second")
	// git's part of a push, without ours
	git(t, dir, "push", b.remote.Path("portal"), "main")

	restarted, err := gitremote.New(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := restarted.Reconcile(t.Context(), "portal"); err != nil {
			t.Fatal(err)
		}
	}
	wantPushes(t, b.inbox.all(),
		batuta.Push{Delivery: "refs/heads/main@1", Ref: "refs/heads/main", Revision: first, Sender: "ana", Message: "first"},
		batuta.Push{Delivery: "refs/heads/main@2", Ref: "refs/heads/main", Before: first, Revision: second, Sender: "Ana", Message: "second"},
	)
	if err := restarted.Reconcile(t.Context(), "never-pushed"); err != nil {
		t.Error(err)
	}
}

func TestInboxThatFails(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), workingCopy(t)
	first := batuta.Revision(git(t, dir, "rev-parse", "HEAD"))
	b.inbox.refuse(errDisk)
	out := git(t, dir, "push", b.url("anas-token"), "main")
	if !strings.Contains(out, "remote: batuta: main is stored, but its run could not be queued yet; it will be picked up") {
		t.Errorf("the pusher is told:\n%s", out)
	}
	b.inbox.refuse(nil)
	if err := b.remote.Reconcile(t.Context(), "portal"); err != nil {
		t.Fatal(err)
	}
	wantPushes(t, b.inbox.all(), batuta.Push{Delivery: "refs/heads/main@1", Ref: "refs/heads/main", Revision: first, Sender: "ana", Message: "first"})
}

func TestConcurrentPushes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const people = 6
	var wg sync.WaitGroup
	outs := make([]string, people)
	for i := range people {
		dir := workingCopy(t)
		wg.Go(func() {
			outs[i], _ = tryGit(t, dir, "push", b.url("anas-token"), fmt.Sprintf("main:branch-%d", i))
		})
	}
	wg.Wait()
	got := map[string]string{}
	for i, p := range b.inbox.all() {
		got[p.Delivery] = fmt.Sprintf("run %d", i+1)
	}
	for i, out := range outs {
		run, ok := got[fmt.Sprintf("refs/heads/branch-%d@1", i)]
		if !ok || !strings.Contains(out, fmt.Sprintf("remote: batuta: %s queued for branch-%d", run, i)) || strings.Count(out, "queued for") != 1 {
			t.Errorf("pusher %d (%s) sees:\n%s", i, run, out)
		}
	}
}

func TestTooLargeAPush(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), workingCopy(t)
	b.config.MaxBytes = 100 << 10
	small, err := gitremote.New(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	b.server.Config.Handler = small
	noise := make([]byte, 4<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 7 * (i >> 3))
	}
	if err := os.WriteFile(filepath.Join(dir, "noise"), noise, 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "-c", "core.compression=0", "add", "noise")
	git(t, dir, "commit", "-q", "-m", "noise")
	out, err := tryGit(t, dir, "-c", "core.compression=0", "-c", "pack.compression=0", "push", b.url("anas-token"), "main")
	if err == nil {
		t.Errorf("pushed:\n%s", out)
	}
	wantPushes(t, b.inbox.all())
}

func TestHooksNeverRun(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), workingCopy(t)
	git(t, dir, "push", b.url("anas-token"), "main")
	hooks := filepath.Join(b.remote.Path("portal"), "hooks")
	if err := os.MkdirAll(hooks, 0o700); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "ran")
	if err := os.WriteFile(filepath.Join(hooks, "post-receive"), []byte("#!/bin/sh\ntouch "+trace+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	commit(t, dir, "second")
	git(t, dir, "push", b.url("anas-token"), "main")
	if _, err := os.Stat(trace); err == nil {
		t.Error("a hook ran")
	}
}
