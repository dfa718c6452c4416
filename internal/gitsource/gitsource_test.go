package gitsource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"batuta"
	"batuta/internal/gitsource"

	"github.com/google/go-cmp/cmp"
)

// wantError checks the kind and that the message says what it should.
func wantError(t *testing.T, err error, kind batuta.Kind, words ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error %v, want kind %q", err, kind)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

// ways are the three ways to the same repository.
func ways(t *testing.T, repo string) map[string]gitsource.Repository {
	port, key, known := sshd(t)
	return map[string]gitsource.Repository{
		"local": {URL: repo},
		"http":  newForge(t, repo).repository(gitsource.Credentials{}),
		"ssh":   {URL: fmt.Sprintf("ssh://root@127.0.0.1:%d%s", port, repo), Credentials: gitsource.Credentials{SSHKey: key, KnownHosts: known}},
	}
}

func TestEveryWayGivesTheSameTree(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	first := commit(t, repo, "first", map[string]string{"a": "1"})
	git(t, repo, "tag", "-a", "-m", "tagged", "v1.0", string(first))
	inner := gitIn(t, repo, "100644 blob "+blob(t, repo, "deep")+"\tfile\n", "mktree")
	second := craft(t, repo, fmt.Sprintf("100644 blob %s\tplain\n100755 blob %s\trun.sh\n040000 tree %s\tsub\n120000 blob %s\tup\n160000 commit %s\tvendored\n100644 blob %s\tback\\slash\n",
		blob(t, repo, "hello"), blob(t, repo, "#!/bin/sh\n"), inner, blob(t, repo, "sub/file"), first, blob(t, repo, "")))
	git(t, repo, "update-ref", "refs/heads/topic", string(second))
	want := map[string]string{
		".": "drwxr-xr-x", "plain": "-rw-r--r-- hello", "run.sh": "-rwxr-xr-x #!/bin/sh", "sub": "drwxr-xr-x", "sub/file": "-rw-r--r-- deep",
		"up": "Lrwxrwxrwx sub/file", "vendored": "drwxr-xr-x", `back\slash`: "-rw-r--r--",
	}
	for name, from := range ways(t, repo) {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				ref  string
				rev  batuta.Revision
				want batuta.Revision
			}{
				{"", "", second},
				{"main", "", second},
				{"refs/heads/topic", "", second},
				{"refs/heads/main", second, second},
				{"v1.0", "", first},
				{"refs/tags/v1.0", first, first},
				{string(first), "", first},
				{"refs/heads/gone", second, second},
			} {
				tree, err := fetch(t, from, c.ref, c.rev)
				if err != nil || tree.Revision != c.want {
					t.Errorf("fetch %q %q: %+v, %v; want %s", c.ref, c.rev, tree, err, c.want)
				}
			}
			tree, err := fetch(t, from, "main", second)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, listing(t, tree.Dir)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			if tree.Message != "crafted" || tree.Author != "Ana" || tree.Time.Unix() != 1700000001 {
				t.Errorf("described as %+v", tree)
			}
			for file := range want {
				if info, err := os.Lstat(filepath.Join(tree.Dir, file)); err != nil || info.ModTime().Unix() != 1700000001 {
					t.Errorf("%s: modified %v, %v", file, info.ModTime(), err)
				}
			}
			if got := leftovers(t, tree.Dir); len(got) != 1 {
				t.Errorf("left beside the tree: %v", got)
			}
			_, err = fetch(t, from, "nothing", "")
			wantError(t, err, batuta.NotFound, `there is no branch or tag "nothing"`)
			_, err = fetch(t, from, "main", batuta.Revision(strings.Repeat("1", 40)))
			wantError(t, err, batuta.NotFound, "the revision is not in the repository")
		})
	}
}

func TestRevisionBehindTheTip(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	revs := make([]batuta.Revision, 4)
	for i := range revs {
		revs[i] = commit(t, repo, fmt.Sprint("commit ", i), map[string]string{"n": fmt.Sprint(i), fmt.Sprint("noise", i): noise(100<<10, i)})
	}
	git(t, repo, "update-ref", "refs/heads/main", string(revs[2])) // 3 is force-pushed away
	git(t, repo, "update-ref", "refs/heads/old", string(revs[0]))
	f := newForge(t, repo)
	from := f.repository(gitsource.Credentials{})

	for name, allow := range map[string]string{"any commit": "true", "tips only": "false"} {
		git(t, repo, "config", "uploadpack.allowReachableSHA1InWant", allow)
		f.sent.Store(0)
		for _, ref := range []string{"refs/heads/main", "refs/heads/old", "refs/heads/deleted"} {
			tree, err := fetch(t, from, ref, revs[1])
			if err != nil || tree.Revision != revs[1] || tree.Message != "commit 1" {
				t.Errorf("%s: fetch %s behind %s: %+v, %v", name, revs[1], ref, tree, err)
			}
		}
		_, err := fetch(t, from, "refs/heads/main", revs[3])
		wantError(t, err, batuta.NotFound, "the revision is not in the repository")
		if sent := f.sent.Load(); allow == "true" && sent > 3*3*100<<10 {
			t.Errorf("%d bytes were sent for three shallow fetches", sent)
		}
	}
}

func TestFetchIsRepeatable(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	first := commit(t, repo, "first", map[string]string{"a": "1", "old": "x"})
	second := commit(t, repo, "second", map[string]string{"a": "2"})
	dir := filepath.Join(t.TempDir(), "source")
	for _, left := range []string{dir + ".part/half", dir + ".git/objects", dir + "/stale"} { // of a killed attempt
		if err := os.MkdirAll(left, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f := &gitsource.Fetcher{MaxBytes: megabyte}
	for _, rev := range []batuta.Revision{second, first, second, second} {
		if _, err := f.Fetch(t.Context(), gitsource.Repository{URL: repo}, "main", rev, dir); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{".": "drwxr-xr-x", "a": "-rw-r--r-- 2", "old": "-rw-r--r-- x"}
	if diff := cmp.Diff(want, listing(t, dir)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if got := leftovers(t, dir); len(got) != 1 {
		t.Errorf("left beside the tree: %v", got)
	}
}

func TestEmptyRepository(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	for name, from := range ways(t, repo) {
		for _, ref := range []string{"", "main"} {
			_, err := fetch(t, from, ref, "")
			t.Run(name, func(t *testing.T) { wantError(t, err, batuta.Invalid, "the repository is empty") })
		}
	}
	_, err := fetch(t, gitsource.Repository{URL: filepath.Join(t.TempDir(), "never-pushed.git")}, "main", "")
	wantError(t, err, batuta.Invalid, "the repository is empty")
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	rev := commit(t, repo, "first", map[string]string{"a": "1"})
	for name, c := range map[string]struct {
		user, password string
		given          gitsource.Credentials
	}{
		"token":             {"x-access-token", "s3cret", gitsource.Credentials{Token: "s3cret"}},
		"token of a user":   {"deploy", "s3cret", gitsource.Credentials{Token: "s3cret", User: "deploy"}},
		"user and password": {"ana", "s3cret", gitsource.Credentials{User: "ana", Password: "s3cret"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForge(t, repo)
			f.user, f.password = c.user, c.password
			if tree, err := fetch(t, f.repository(c.given), "main", rev); err != nil || tree.Revision != rev {
				t.Errorf("fetch: %+v, %v", tree, err)
			}
			inURL := gitsource.Repository{URL: strings.Replace(f.URL, "//", "//"+c.user+":"+c.password+"@", 1) + "/portal.git"}
			if tree, err := fetch(t, inURL, "main", rev); err != nil || tree.Revision != rev {
				t.Errorf("fetch with the credentials in the address: %+v, %v", tree, err)
			}
			f.password = "another"
			for _, from := range []gitsource.Repository{f.repository(c.given), inURL, f.repository(gitsource.Credentials{})} {
				_, err := fetch(t, from, "main", rev)
				wantError(t, err, batuta.Denied, "the server refused us")
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "s3cret") {
					t.Errorf("the error shows the secret: %#v", err)
				}
			}
		})
	}
	_, err := fetch(t, gitsource.Repository{URL: newForge(t, repo).URL + "/nothing.git"}, "main", rev)
	wantError(t, err, batuta.NotFound, "there is no such repository")
}

func TestSSH(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	commit(t, repo, "first", map[string]string{"a": "1"})
	port, key, known := sshd(t)
	_, otherKey, otherKnown := sshd(t)
	url := fmt.Sprintf("ssh://root@127.0.0.1:%d%s", port, repo)
	otherKnown = fmt.Sprintf("[127.0.0.1]:%d %s", port, strings.SplitN(otherKnown, " ", 2)[1])
	for name, c := range map[string]struct {
		url   string
		given gitsource.Credentials
		kind  batuta.Kind
		words string
	}{
		"another key":        {url, gitsource.Credentials{SSHKey: otherKey, KnownHosts: known}, batuta.Denied, "the server refused us (SSH key given)"},
		"another host key":   {url, gitsource.Credentials{SSHKey: key, KnownHosts: otherKnown}, batuta.Denied, "the server's host key is not the known one"},
		"unknown host":       {url, gitsource.Credentials{SSHKey: key, KnownHosts: strings.Replace(known, "127.0.0.1", "127.0.0.2", 1)}, batuta.Denied, "host key is not the known one"},
		"no known hosts":     {url, gitsource.Credentials{SSHKey: key}, batuta.Invalid, "no known hosts"},
		"no key":             {url, gitsource.Credentials{KnownHosts: known}, batuta.Invalid, "there is no SSH key"},
		"broken key":         {url, gitsource.Credentials{SSHKey: key[:100], KnownHosts: known}, batuta.Invalid, "cannot be read"},
		"no such repository": {url + "-not", gitsource.Credentials{SSHKey: key, KnownHosts: known}, batuta.NotFound, "there is no such repository"},
		"nobody there":       {strings.Replace(url, fmt.Sprint(port), fmt.Sprint(freePort(t)), 1), gitsource.Credentials{SSHKey: key, KnownHosts: known}, batuta.Unavailable, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fetch(t, gitsource.Repository{URL: c.url, Credentials: c.given}, "main", "")
			wantError(t, err, c.kind, c.words)
			if c.given.SSHKey != "" && strings.Contains(fmt.Sprint(err), c.given.SSHKey[40:60]) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	rev := commit(t, repo, "first", map[string]string{"noise": noise(megabyte, 1)})
	for name, from := range ways(t, repo) {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "source")
			_, err := (&gitsource.Fetcher{MaxBytes: 500e3}).Fetch(t.Context(), from, "main", rev, dir)
			wantError(t, err, batuta.Invalid, "repository is larger than the limit 500 kB (source.max_size in server.yml)")
			if got := leftovers(t, dir); len(got) != 0 {
				t.Errorf("left: %v", got)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	_, err := fetch(t, gitsource.Repository{URL: fmt.Sprintf("http://ana:s3cret@127.0.0.1:%d/portal.git", freePort(t))}, "main", "")
	wantError(t, err, batuta.Unavailable, "fetch http://127.0.0.1:", "connection refused")
	for _, url := range []string{"", "portal", "file:///etc", "git://127.0.0.1/x", "https://", "https://a b:s3cret@x/\x01"} {
		_, err := fetch(t, gitsource.Repository{URL: url}, "main", "")
		wantError(t, err, batuta.Invalid, "not an address of a repository")
		if strings.Contains(fmt.Sprint(err), "s3cret") {
			t.Errorf("%q: the error shows the secret: %v", url, err)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, key, _ := sshd(t)
	for _, url := range []string{"http://" + silent.Addr().String() + "/portal.git", "ssh://git@" + silent.Addr().String() + "/portal.git"} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		from := gitsource.Repository{URL: url, Credentials: gitsource.Credentials{SSHKey: key, KnownHosts: "[127.0.0.1]:1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}
		begun := time.Now()
		_, err := (&gitsource.Fetcher{MaxBytes: megabyte}).Fetch(ctx, from, "main", "", filepath.Join(t.TempDir(), "source"))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 5*time.Second {
			t.Errorf("%s: %v after %v", url, err, time.Since(begun))
		}
	}
}

// A pack that stops coming must not hold up who gave up waiting for it.
func TestCancelInTheMiddleOfAPack(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	rev := commit(t, repo, "first", map[string]string{"a": "1"})
	f := newForge(t, repo)
	whole := f.Config.Handler
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			whole.ServeHTTP(w, r)
			return
		}
		io.WriteString(w, "0034shallow "+string(rev)+"00000008NAK\n0011\x01PACK\x00\x00\x00\x02\x00\x00\x00\x03")
		http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	dir := filepath.Join(t.TempDir(), "source")
	_, err := (&gitsource.Fetcher{MaxBytes: megabyte}).Fetch(ctx, f.repository(gitsource.Credentials{}), "main", rev, dir)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("fetch: %v", err)
	}
	if got := leftovers(t, dir); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	rev := commit(t, repo, "first", map[string]string{"noise": noise(megabyte, 1)})
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("mount a small disk (needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	for name, from := range map[string]gitsource.Repository{"local": {URL: repo}, "http": newForge(t, repo).repository(gitsource.Credentials{})} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(disk, "source")
			_, err := (&gitsource.Fetcher{MaxBytes: 10 * megabyte}).Fetch(t.Context(), from, "main", rev, dir)
			wantError(t, err, batuta.Unavailable, "the disk is full")
			if got := leftovers(t, dir); len(got) != 0 {
				t.Errorf("left: %v", got)
			}
		})
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	repo := gitsource.Repository{URL: "https://ana:s3cret@example.org/portal.git", Credentials: gitsource.Credentials{Token: "s3cret", User: "ana", Password: "s3cret", SSHKey: "s3cret", KnownHosts: "x"}}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "repo", repo, "credentials", repo.Credentials)
	for _, c := range []any{repo, &repo, repo.Credentials, struct{ R gitsource.Repository }{repo}} {
		fmt.Fprintf(&b, "%v %+v %#v %s\n", c, c, c, c)
	}
	if strings.Contains(b.String(), "s3cret") {
		t.Errorf("printed: %s", b.String())
	}
}

// noise is n bytes that do not compress, different for each seed.
func noise(n, seed int) string {
	b := make([]byte, n)
	x := uint64(seed)*0x9e3779b97f4a7c15 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return string(b)
}
