package registry_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"batuta/internal/registry"
)

// smallDisk mounts a file system with the given options (size=1m) until the
// test ends.
func smallDisk(t *testing.T, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatalf("mount a small file system (the tests need root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

func TestAFullDiskIsSaidSo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		disk    string
		keep    int64
		chunked bool
	}{
		"it fills":                {disk: "size=96m"},
		"it fills, size not told": {disk: "size=96m", chunked: true},
		"it is full for us":       {disk: "size=96m", keep: 128 << 20},
		"it is full of files":     {disk: "size=96m,nr_inodes=100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := smallDisk(t, test.disk)
			reg := open(t, registry.Config{Dir: dir, KeepFree: test.keep})
			defer reg.Close()
			server := httptest.NewServer(reg)
			defer server.Close()
			resp := fill(t, strings.TrimPrefix(server.URL, "http://"), 60<<20, test.chunked)
			body := read(t, resp.Body)
			if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, `"DENIED"`) || !strings.Contains(body, "kept free on the registry's disk") {
				t.Errorf("a push that does not fit: %s %s", resp.Status, body)
			}
			if left := uploads(t, dir); resp.Request.Method == http.MethodPatch && len(left) > 0 {
				t.Errorf("the refused push keeps %v", left)
			}
		})
	}
}

// fill sends that many random bytes as one blob.
func fill(t *testing.T, host string, bytes int64, chunked bool) *http.Response {
	t.Helper()
	begun := ask(t, http.MethodPost, "http://"+host+"/v2/portal/web/blobs/uploads/", nil)
	if begun.StatusCode != http.StatusAccepted {
		return begun
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "http://"+host+begun.Header.Get("Location"), io.LimitReader(rand.Reader, bytes))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("anyone", pushToken)
	if !chunked {
		req.ContentLength = bytes
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// uploads lists the uploads that are not finished.
func uploads(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "docker/registry/v2/repositories/portal/web/_uploads/*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAFullDiskIsStillReadAndServesAgainOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "size=96m")
	host, stop := serve(t, filepath.Join(dir, "registry"))
	defer stop()
	repo := repository(t, host, "portal/web")
	ref := push(t, repo, randomImage(t, 1<<20))
	ballast := filepath.Join(dir, "ballast")
	if err := fillUp(ballast); err != nil {
		t.Fatal(err)
	}
	if err := pull(t.Context(), ref, pullToken); err != nil {
		t.Errorf("pull from a full disk: %v", err)
	}
	next := randomImage(t, 2<<20)
	err := remote.Write(repo.Digest(digestOf(t, next).String()), next, auth(pushToken), once)
	if err == nil || !strings.Contains(err.Error(), "DENIED: no room: ") {
		t.Errorf("push to a full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := pull(t.Context(), push(t, repo, next), pullToken); err != nil {
		t.Errorf("once there is room: %v", err)
	}
}

// fillUp writes a file until the disk is full.
func fillUp(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, _ = io.Copy(f, rand.Reader) // ends when the disk is full
	return f.Close()
}
