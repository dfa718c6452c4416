package gitsource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"batuta"
	"batuta/internal/gitsource"
)

const megabyte = 1 << 20

// tryGit runs git in dir, with its own settings only.
func tryGit(ctx context.Context, dir, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Ana", "GIT_AUTHOR_EMAIL=ana@example.org", "GIT_AUTHOR_DATE=1700000000 +0100",
		"GIT_COMMITTER_NAME=Ben", "GIT_COMMITTER_EMAIL=ben@example.org", "GIT_COMMITTER_DATE=1700000001 +0100",
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	return gitIn(t, dir, "", args...)
}

func gitIn(t testing.TB, dir, stdin string, args ...string) string {
	t.Helper()
	out, err := tryGit(t.Context(), dir, stdin, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// bare is an empty bare repository, whose branch will be main.
func bare(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "portal.git")
	git(t, filepath.Dir(dir), "init", "-q", "--bare", "-b", "main", dir)
	return dir
}

// commit adds a commit with these files to branch main of a bare repository
// and gives its hash.
func commit(t testing.TB, repo, message string, files map[string]string) batuta.Revision {
	t.Helper()
	work := filepath.Join(t.TempDir(), "work")
	git(t, filepath.Dir(work), "init", "-q", "-b", "main", work)
	if _, err := tryGit(t.Context(), work, "", "pull", "-q", repo, "main"); err != nil && !emptyRepository(t, repo) {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, work, "add", "-A")
	git(t, work, "commit", "-q", "--allow-empty", "-m", message)
	git(t, work, "push", "-q", repo, "main")
	return batuta.Revision(git(t, work, "rev-parse", "HEAD"))
}

func emptyRepository(t testing.TB, repo string) bool {
	return git(t, repo, "for-each-ref") == ""
}

// craft makes a commit of a tree that is written by hand, in the form of
// git ls-tree, and points main at it.
func craft(t testing.TB, repo, tree string) batuta.Revision {
	t.Helper()
	root := gitIn(t, repo, tree, "mktree", "--missing")
	rev := git(t, repo, "commit-tree", "-m", "crafted", root)
	git(t, repo, "update-ref", "refs/heads/main", rev)
	return batuta.Revision(rev)
}

// blob stores a blob and gives its hash.
func blob(t testing.TB, repo, content string) string {
	t.Helper()
	return gitIn(t, repo, content, "hash-object", "-w", "--stdin")
}

// forge is git's own http-backend, behind a user and a password if they are
// not empty.
type forge struct {
	*httptest.Server
	user, password string
	sent           atomic.Int64 // bytes
}

func newForge(t testing.TB, repo string) *forge {
	t.Helper()
	path, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env:    []string{"GIT_PROJECT_ROOT=" + filepath.Dir(repo), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent"},
		Stderr: io.Discard,
	}
	f := &forge{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); f.password != "" && (user != f.user || password != f.password) {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "who are you? not "+user+":"+password, http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(&counted{w, &f.sent}, r)
	}))
	t.Cleanup(f.Close)
	return f
}

type counted struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}

func (f *forge) repository(credentials gitsource.Credentials) gitsource.Repository {
	return gitsource.Repository{URL: f.URL + "/portal.git", Credentials: credentials}
}

// sshd starts Debian's sshd for one key, and gives its port and host key.
func sshd(t testing.TB) (port int, key, knownHosts string) {
	t.Helper()
	server, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Fatal("sshd is needed: apt-get install openssh-server")
	}
	dir := t.TempDir()
	for _, name := range []string{"host", "user"} {
		if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	port = freePort(t)
	cmd := exec.CommandContext(t.Context(), server, "-D", "-e", "-f", "/dev/null", "-h", filepath.Join(dir, "host"),
		"-o", "ListenAddress=127.0.0.1", "-o", fmt.Sprintf("Port=%d", port), "-o", "PidFile=none", "-o", "StrictModes=no", "-o", "UsePAM=no",
		"-o", "PermitRootLogin=yes", "-o", "PasswordAuthentication=no", "-o", "AuthorizedKeysFile="+filepath.Join(dir, "user.pub"))
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	waitForPort(t, port)
	return port, read(t, filepath.Join(dir, "user")), fmt.Sprintf("[127.0.0.1]:%d %s", port, read(t, filepath.Join(dir, "host.pub")))
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func waitForPort(t testing.TB, port int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fetch fetches into a new directory.
func fetch(t testing.TB, repo gitsource.Repository, ref string, rev batuta.Revision) (gitsource.Tree, error) {
	t.Helper()
	return (&gitsource.Fetcher{MaxBytes: 10 * megabyte}).Fetch(t.Context(), repo, ref, rev, filepath.Join(t.TempDir(), "run", "source"))
}

// listing is everything in a tree: mode, name, content or target.
func listing(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			content, err = os.Readlink(path)
		case d.Type().IsRegular():
			content = read(t, path)
		}
		name, relErr := filepath.Rel(dir, path)
		all[name] = strings.TrimSpace(info.Mode().String() + " " + content)
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// leftovers are the files beside the tree's place.
func leftovers(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
