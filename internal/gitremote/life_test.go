package gitremote_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batuta/internal/gitremote"
)

// holders are the processes, other than this one, that have the app's lock.
func holders(t *testing.T, b *bench) int {
	t.Helper()
	lock := filepath.Join(b.remote.Path("portal"), "batuta.lock")
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, link := range links {
		to, err := os.Readlink(link) // gone already, if err
		if err == nil && to == lock && !strings.HasPrefix(link, fmt.Sprintf("/proc/%d/", os.Getpid())) {
			n++
		}
	}
	return n
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain until " + what)
		}
	}
}

// A push is under way until the last git of it has ended, whoever started it;
// and git ends when its client goes.
func TestReconcileWaitsForPushesUnderWay(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), workingCopy(t)
	git(t, dir, "push", b.url("anas-token"), "main")

	ctx, goAway := context.WithCancel(t.Context())
	defer goAway()
	unfinished, write := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.server.URL+"/git/portal.git/git-receive-pack", unfinished)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("", "anas-token")
	req.Header.Set("Content-Type", "application/x-git-receive-pack-request")
	answered := make(chan error, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
		}
		answered <- err
	}()
	if _, err := write.Write([]byte("00")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "git has the lock", func() bool { return holders(t, b) > 0 })

	restarted, err := gitremote.New(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if err := restarted.Reconcile(short, "portal"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reconcile during a push: %v", err)
	}
	goAway()
	write.CloseWithError(context.Canceled) // the client's own transport waits for it
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("the client that went away got %v", err)
	}
	eventually(t, "git has ended", func() bool { return holders(t, b) == 0 })
	if err := restarted.Reconcile(t.Context(), "portal"); err != nil {
		t.Error(err)
	}
	if got := b.inbox.all(); len(got) != 1 {
		t.Errorf("pushes: %+v", got)
	}
}

// A repository whose first branch is not main still has a default branch.
func TestHeadFollowsTheBranches(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), workingCopy(t)
	head := func() string { return git(t, b.remote.Path("portal"), "symbolic-ref", "HEAD") }
	for _, c := range [][2]string{
		{"main:trunk", "refs/heads/trunk"}, {"main:alpha", "refs/heads/trunk"}, {":trunk", "refs/heads/alpha"},
		{"main:master", "refs/heads/alpha"}, {":alpha", "refs/heads/master"}, {":master", "refs/heads/master"}, {"main", "refs/heads/main"},
	} {
		git(t, dir, "push", b.url("anas-token"), c[0])
		if got := head(); got != c[1] {
			t.Errorf("after a push of %s HEAD is %s, want %s", c[0], got, c[1])
		}
	}
}

// Clients compress long requests.
func TestCompressedRequest(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), workingCopy(t)
	rev := commit(t, dir, "second")
	git(t, dir, "push", b.url("anas-token"), "main")
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	fmt.Fprintf(z, "0032want %s\n00000009done\n", rev)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+"/git/portal.git/git-upload-pack", &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer bens-token")
	req.Header.Set("Content-Type", "application/x-git-upload-pack-request")
	req.Header.Set("Content-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || !bytes.HasPrefix(answer, []byte("0008NAK\nPACK")) {
		t.Errorf("%s: %.40q, %v", res.Status, answer, err)
	}
}

// What the environment of the server says to git is not for these gits.
func TestEnvironmentOfTheServer(t *testing.T) {
	elsewhere := t.TempDir()
	t.Setenv("GIT_DIR", elsewhere)
	t.Setenv("GIT_CONFIG_PARAMETERS", "'http.receivepack=false'")
	t.Setenv("GIT_TRACE", filepath.Join(elsewhere, "trace"))
	b, dir := newBench(t), workingCopy(t)
	git(t, dir, "push", b.url("anas-token"), "main")
	if got := b.inbox.all(); len(got) != 1 {
		t.Errorf("pushes: %+v", got)
	}
	if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) > 0 {
		t.Errorf("git went elsewhere: %v, %v", entries, err)
	}
}
