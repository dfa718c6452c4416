package registry_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/internal/registry"
)

// The tokens of the tests: one may push everywhere, one may only pull, and one
// may do both with one repository alone.
const (
	pushToken = "token-push"
	pullToken = "token-pull"
	siteToken = "token-site" // only repository "site"
)

func authorize(_ context.Context, _, password string, access registry.Access) registry.Decision {
	switch {
	case password == pushToken,
		password == pullToken && !access.Push,
		password == siteToken && (access.Repository == "site" || access.Repository == ""):
		return registry.Granted
	case password == pullToken, password == siteToken:
		return registry.Denied
	}
	return registry.Unknown
}

// serve starts a registry on dir at an address of its own, and gives its
// host:port and the function that stops it.
func serve(t *testing.T, dir string) (host string, stop func()) {
	t.Helper()
	return serveAt(t, dir, "127.0.0.1:0")
}

// serveAt is serve at a given address.
func serveAt(t *testing.T, dir, address string) (host string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	reg := open(t, registry.Config{Dir: dir})
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: reg}}
	server.Start()
	return listener.Addr().String(), func() {
		server.Close()
		if err := reg.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// start is serve until the test ends.
func start(t *testing.T) (host string) {
	t.Helper()
	host, stop := serve(t, t.TempDir())
	t.Cleanup(stop)
	return host
}

func open(t *testing.T, c registry.Config) *registry.Registry {
	t.Helper()
	c.Authorize = authorize
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	reg, err := registry.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func auth(token string) remote.Option {
	return remote.WithAuth(&authn.Basic{Username: "anyone", Password: token})
}

// once makes a client that does not try again.
var once = remote.WithRetryBackoff(remote.Backoff{Steps: 1})

func repository(t *testing.T, host, path string) name.Repository {
	t.Helper()
	repo, err := name.NewRepository(host + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

func randomImage(t *testing.T, bytes int64) v1.Image {
	t.Helper()
	img, err := random.Image(bytes, 2)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func digestOf(t *testing.T, img v1.Image) v1.Hash {
	t.Helper()
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// push writes img with the push token and gives the reference by digest.
func push(t *testing.T, repo name.Repository, img v1.Image) name.Digest {
	t.Helper()
	ref := repo.Digest(digestOf(t, img).String())
	if err := remote.Write(ref, img, auth(pushToken), remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	return ref
}

func pull(ctx context.Context, ref name.Reference, token string) error {
	img, err := remote.Image(ref, auth(token), remote.WithContext(ctx))
	if err != nil {
		return err
	}
	return validate.Image(img)
}

// ask makes one request with the push token; the caller reads and closes.
func ask(t *testing.T, method, address string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("anyone", pushToken)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func read(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnImageComesBackAsItWent(t *testing.T) {
	t.Parallel()
	host := start(t)
	ref := push(t, repository(t, host, "portal/web"), randomImage(t, 1<<20))
	if err := pull(t.Context(), ref, pullToken); err != nil {
		t.Error(err)
	}
}

func TestAnIndexIsTakenWithItsImagesOnly(t *testing.T) {
	t.Parallel()
	repo := repository(t, start(t), "portal/web")
	index, err := random.Index(1024, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(repo.Tag("whole"), index, auth(pushToken)); err != nil {
		t.Error(err)
	}
	manifest, err := mutate.AppendManifests(index, mutate.IndexAddendum{Add: randomImage(t, 10)}).RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	resp := ask(t, http.MethodPut, "http://"+repo.RegistryStr()+"/v2/portal/web/manifests/broken", bytes.NewReader(manifest),
		"Content-Type", "application/vnd.oci.image.index.v1+json")
	if body := read(t, resp.Body); resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusNotFound {
		t.Errorf("an index with a missing image: %s %s", resp.Status, body)
	}
}

func TestImagesAndUploadsOutliveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	host, stop := serve(t, dir)
	img := randomImage(t, 4096)
	ref := push(t, repository(t, host, "portal/web"), img)
	first, second := strings.Repeat("a", 100_000), strings.Repeat("b", 50_000)
	upload := beginUpload(t, host, "portal/web")
	resp := ask(t, http.MethodPatch, upload, strings.NewReader(first))
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("patch: %s %s", resp.Status, read(t, resp.Body))
	}
	upload = resp.Header.Get("Location")
	stop()

	host, stop = serve(t, dir)
	defer stop()
	if err := pull(t.Context(), repository(t, host, "portal/web").Digest(ref.DigestStr()), pullToken); err != nil {
		t.Error(err)
	}
	sum := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(first+second)))
	resp = ask(t, http.MethodPut, "http://"+host+upload+"&digest="+sum, strings.NewReader(second))
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("finish after a restart: %s %s", resp.Status, read(t, resp.Body))
	}
	resp = ask(t, http.MethodGet, "http://"+host+"/v2/portal/web/blobs/"+sum, nil)
	if got := read(t, resp.Body); got != first+second {
		t.Errorf("the blob has %d bytes, status %s", len(got), resp.Status)
	}
}

// beginUpload gives the address of a new upload.
func beginUpload(t *testing.T, host, repo string) string {
	t.Helper()
	resp := ask(t, http.MethodPost, "http://"+host+"/v2/"+repo+"/blobs/uploads/", nil)
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("begin upload: %s %s", resp.Status, read(t, resp.Body))
	}
	location, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || location.IsAbs() {
		t.Fatalf("the upload is at %q, which is right behind one host name only", location)
	}
	return "http://" + host + location.String()
}

func TestTwentyClientsPullOneImageAtOnce(t *testing.T) {
	t.Parallel()
	ref := push(t, repository(t, start(t), "portal/web"), randomImage(t, 2<<20))
	var clients errgroup.Group
	for range 20 {
		clients.Go(func() error { return pull(t.Context(), ref, pullToken) })
	}
	if err := clients.Wait(); err != nil {
		t.Error(err)
	}
}

func TestManyClientsPushTheSameImageAtOnce(t *testing.T) {
	t.Parallel()
	repo := repository(t, start(t), "portal/web")
	img := randomImage(t, 1<<20)
	ref := repo.Digest(digestOf(t, img).String())
	var clients errgroup.Group
	for range 8 {
		clients.Go(func() error { return remote.Write(ref, img, auth(pushToken)) })
	}
	if err := clients.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := pull(t.Context(), ref, pullToken); err != nil {
		t.Error(err)
	}
}

func TestAPartOfABlob(t *testing.T) {
	t.Parallel()
	host := start(t)
	content := "0123456789"
	sum := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
	ask(t, http.MethodPut, beginUpload(t, host, "portal/web")+"&digest="+sum, strings.NewReader(content))
	resp := ask(t, http.MethodGet, "http://"+host+"/v2/portal/web/blobs/"+sum, nil, "Range", "bytes=3-5")
	if body := read(t, resp.Body); resp.StatusCode != http.StatusPartialContent || body != "345" {
		t.Errorf("bytes 3 to 5: %s %q", resp.Status, body)
	}
}

func TestBytesThatAreNotWhatTheirDigestSaysAreRefused(t *testing.T) {
	t.Parallel()
	host := start(t)
	sum := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("what was meant")))
	resp := ask(t, http.MethodPut, beginUpload(t, host, "portal/web")+"&digest="+sum, strings.NewReader("something else"))
	if body := read(t, resp.Body); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "DIGEST_INVALID") {
		t.Errorf("a blob: %s %s", resp.Status, body)
	}
	if resp := ask(t, http.MethodHead, "http://"+host+"/v2/portal/web/blobs/"+sum, nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the refused blob: %s", resp.Status)
	}
}

func TestHas(t *testing.T) {
	t.Parallel()
	reg := open(t, registry.Config{Dir: t.TempDir()})
	defer reg.Close()
	server := httptest.NewServer(reg)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	ref := push(t, repository(t, host, "portal/web"), randomImage(t, 1024))
	there := batuta.Image{Repository: host + "/portal/web", Digest: batuta.Digest(ref.DigestStr())}
	outside := registry.Remote{Address: host, User: "anyone", Password: pullToken, Insecure: true}
	for _, r := range []interface {
		Has(context.Context, batuta.Image) (bool, error)
	}{reg, outside} {
		for _, test := range []struct {
			image batuta.Image
			want  bool
		}{
			{there, true},
			{batuta.Image{Repository: host + "/other", Digest: there.Digest}, false},
			{batuta.Image{Repository: there.Repository, Digest: batuta.Digest("sha256:" + strings.Repeat("0", 64))}, false},
		} {
			if got, err := r.Has(t.Context(), test.image); got != test.want || err != nil {
				t.Errorf("%T.Has(%s) = %v, %v, want %v", r, test.image, got, err, test.want)
			}
		}
		if _, err := r.Has(t.Context(), batuta.Image{Repository: "Not/A Name", Digest: there.Digest}); !isKind(err, batuta.Invalid) {
			t.Errorf("%T.Has of no image: %v", r, err)
		}
	}
}

// TestCloseLeavesNothingRunning does not run in parallel: it looks at all the
// goroutines there are.
func TestCloseLeavesNothingRunning(t *testing.T) {
	reg := open(t, registry.Config{Dir: t.TempDir()})
	if !running("startUploadPurger") {
		t.Error("no housekeeping is running")
	}
	if err := reg.Close(); err != nil {
		t.Error(err)
	}
	for running("startUploadPurger") {
		select {
		case <-t.Context().Done():
			t.Fatal("the housekeeping goes on after Close")
		case <-time.After(time.Millisecond):
		}
	}
}

// running tells whether a goroutine is in the function.
func running(function string) bool {
	stacks := make([]byte, 1<<20)
	return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(function))
}

func TestOnlyTheOwnerReadsTheFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "registry")
	_, stop := serve(t, dir)
	defer stop()
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "upload.key"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
}
