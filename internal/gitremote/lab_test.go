package gitremote_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"batuta"
	"batuta/internal/gitremote"
)

// ledger is an inbox in memory that keeps the contract and can be told to
// refuse.
type ledger struct {
	mu     sync.Mutex
	refs   map[string]gitremote.RefState
	pushes []batuta.Push
	broken error
}

func (l *ledger) Refs(context.Context, batuta.AppName) (map[string]gitremote.RefState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.refs), nil
}

func (l *ledger) DeliverRef(_ context.Context, p batuta.Push, serial int) (batuta.RunID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return 0, l.broken
	}
	if was := l.refs[p.Ref]; serial != was.Serial+1 || p.Before != was.Revision {
		return 0, fmt.Errorf("change %d of %s from %q does not follow %+v", serial, p.Ref, p.Before, was)
	}
	l.refs[p.Ref] = gitremote.RefState{Revision: p.Revision, Serial: serial}
	l.pushes = append(l.pushes, p)
	if p.Revision == "" {
		return 0, nil
	}
	return batuta.RunID(len(l.pushes)), nil
}

func (l *ledger) all() []batuta.Push {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]batuta.Push(nil), l.pushes...)
}

func (l *ledger) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
}

// keys is who may: token to person.
type keys map[string]string

func (k keys) Authorize(_ context.Context, app batuta.AppName, token string, _ bool) (string, bool) {
	person, ok := k[token]
	return person, ok && app == "portal"
}

var errDisk = errors.New("disk full")

// bench is a remote, its server and a working copy.
type bench struct {
	remote *gitremote.Remote
	inbox  *ledger
	server *httptest.Server
	config gitremote.Config
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{inbox: &ledger{refs: map[string]gitremote.RefState{}}}
	b.config = gitremote.Config{
		Dir:    t.TempDir(),
		Access: keys{"anas-token": "ana", "bens-token": "Ben Ölund"},
		Inbox:  b.inbox,
		RunURL: func(id batuta.RunID) string { return fmt.Sprintf("https://batuta.example/runs/%d", id) },
	}
	remote, err := gitremote.New(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	b.remote = remote
	b.server = httptest.NewServer(remote)
	t.Cleanup(b.server.Close)
	return b
}

// url is the remote's address with the given user part.
func (b *bench) url(user string) string {
	return strings.Replace(b.server.URL, "http://", "http://"+user+"@", 1) + "/git/portal.git"
}

// tryGit runs git in dir as a person would, with an empty answer to any
// question for a password.
func tryGit(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_ASKPASS=true", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Ana", "GIT_AUTHOR_EMAIL=ana@example.org", "GIT_COMMITTER_NAME=Ana", "GIT_COMMITTER_EMAIL=ana@example.org",
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(t, dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// workingCopy is a repository on branch main with one commit.
func workingCopy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	commit(t, dir, "first")
	return dir
}

// commit makes a commit and gives its hash.
func commit(t *testing.T, dir, message string) batuta.Revision {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte(message), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "add", "file")
	git(t, dir, "commit", "-q", "-m", message)
	return batuta.Revision(git(t, dir, "rev-parse", "HEAD"))
}
