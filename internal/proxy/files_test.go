package proxy_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"batuta"
	"batuta/internal/proxy"
)

var files = map[string]string{
	"index.html":                 "<h1>Home</h1>",
	"404.html":                   "<h1>Not here</h1>",
	"css/site.css":               strings.Repeat("body { margin: 0 }\n", 200),
	"docs/index.html":            "<h1>Docs</h1>",
	"docs/.htpasswd":             "root:secret",
	"empty/readme.txt":           "no index here",
	"caddy/index.html":           "<h1>Caddy</h1>",
	"digits.txt":                 "0123456789",
	"manifest.webmanifest":       "{}",
	"font.woff2":                 "font",
	"unknown.xyz":                "?",
	".env":                       "SECRET=1",
	".git/config":                "[core]",
	".well-known/security.txt":   "Contact: mailto:a@example.edu",
	".well-known/.git/HEAD":      "ref: refs/heads/main",
	"with space & ünicode.txt":   "found",
	"scripts/app.js":             "run()",
	"scripts/with.dots.v1.2.mjs": "run()",
}

// write makes the tree of files in dir.
func write(t *testing.T, dir string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// serve serves root until the test ends, and gives the address of the site.
func serve(t *testing.T, root string) (address string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	log := addressLog{found: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() { ended <- proxy.ServeFiles(ctx, root, "127.0.0.1:0", slog.New(log)) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	select {
	case address = <-log.found:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return "http://" + address
}

// addressLog is a log that catches the address that is served.
type addressLog struct{ found chan string }

func (addressLog) Enabled(context.Context, slog.Level) bool { return true }
func (l addressLog) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l addressLog) WithGroup(string) slog.Handler          { return l }

func (l addressLog) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "address" {
			l.found <- a.Value.String()
		}
		return true
	})
	return nil
}

func site(t *testing.T) (address string) {
	t.Helper()
	root := t.TempDir()
	write(t, root)
	return serve(t, root)
}

// get asks without following redirects or decompressing.
func get(t *testing.T, method, address string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestWhatAPathAnswers(t *testing.T) {
	t.Parallel()
	address := site(t)
	const missing = "<h1>Not here</h1>"
	for _, test := range []struct {
		path   string
		status int
		body   string
		kind   string
	}{
		{"/", 200, "<h1>Home</h1>", "text/html; charset=utf-8"},
		{"/index.html", 200, "<h1>Home</h1>", "text/html; charset=utf-8"},
		{"/docs/", 200, "<h1>Docs</h1>", "text/html; charset=utf-8"},
		{"/caddy/", 200, "<h1>Caddy</h1>", "text/html; charset=utf-8"},
		{"/digits.txt?query=1", 200, "0123456789", "text/plain; charset=utf-8"},
		{"/with%20space%20&%20%C3%BCnicode.txt", 200, "found", "text/plain; charset=utf-8"},
		{"/scripts/app.js", 200, "run()", "text/javascript; charset=utf-8"},
		{"/scripts/with.dots.v1.2.mjs", 200, "run()", "text/javascript; charset=utf-8"},
		{"/manifest.webmanifest", 200, "{}", "application/manifest+json"},
		{"/font.woff2", 200, "font", "font/woff2"},
		{"/.well-known/security.txt", 200, files[".well-known/security.txt"], "text/plain; charset=utf-8"},
		{"/nothing", 404, missing, "text/html; charset=utf-8"},
		{"/nothing.map", 404, missing, "text/html; charset=utf-8"},
		{"/empty/", 404, missing, "text/html; charset=utf-8"},
		{"/digits.txt/below", 404, missing, "text/html; charset=utf-8"},
		{"/.env", 404, missing, "text/html; charset=utf-8"},
		{"/%2eenv", 404, missing, "text/html; charset=utf-8"},
		{"/.git/config", 404, missing, "text/html; charset=utf-8"},
		{"/docs/.htpasswd", 404, missing, "text/html; charset=utf-8"},
		{"/.well-known/.git/HEAD", 404, missing, "text/html; charset=utf-8"},
		{"/.well-known/../.env", 404, missing, "text/html; charset=utf-8"},
		{"/../../../../etc/passwd", 404, missing, "text/html; charset=utf-8"},
		{"/..%2f..%2f..%2fetc/passwd", 404, missing, "text/html; charset=utf-8"},
	} {
		resp, body := get(t, "GET", address+test.path)
		if resp.StatusCode != test.status || body != test.body || resp.Header.Get("Content-Type") != test.kind {
			t.Errorf("%s: %s %q %q, want %d %q %q", test.path, resp.Status, resp.Header.Get("Content-Type"), body, test.status, test.kind, test.body)
		}
	}
}

func TestADirectoryIsAskedForWithItsSlash(t *testing.T) {
	t.Parallel()
	resp, _ := get(t, "GET", site(t)+"/docs?page=2")
	if resp.StatusCode != http.StatusPermanentRedirect || resp.Header.Get("Location") != "/docs/?page=2" {
		t.Errorf("%s to %q", resp.Status, resp.Header.Get("Location"))
	}
}

func TestASiteOnlyReads(t *testing.T) {
	t.Parallel()
	address := site(t)
	for method, want := range map[string]int{"HEAD": 200, "POST": 405, "PUT": 405, "DELETE": 405} {
		if resp, _ := get(t, method, address+"/digits.txt"); resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", method, resp.Status, want)
		}
	}
}

func TestTextIsCompressed(t *testing.T) {
	t.Parallel()
	address := site(t) + "/css/site.css"
	for encoding, open := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	} {
		resp, body := get(t, "GET", address, "Accept-Encoding", encoding)
		if resp.Header.Get("Content-Encoding") != encoding || len(body) >= len(files["css/site.css"])/2 {
			t.Fatalf("%s: %q, %d bytes", encoding, resp.Header.Get("Content-Encoding"), len(body))
		}
		r, err := open(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := io.ReadAll(r); err != nil || string(plain) != files["css/site.css"] {
			t.Errorf("%s: not the file that was sent: %v", encoding, err)
		}
		if !strings.Contains(resp.Header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: Vary: %q", encoding, resp.Header.Get("Vary"))
		}
		again, _ := get(t, "GET", address, "Accept-Encoding", encoding, "If-None-Match", resp.Header.Get("Etag"))
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: the same again: %s", encoding, again.Status)
		}
	}
}

func TestWhatABrowserHasIsNotSentAgain(t *testing.T) {
	t.Parallel()
	address := site(t) + "/digits.txt"
	resp, _ := get(t, "GET", address)
	etag, modified := resp.Header.Get("Etag"), resp.Header.Get("Last-Modified")
	if etag == "" || modified == "" || resp.Header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("headers: %v", resp.Header)
	}
	for _, header := range [][]string{{"If-None-Match", etag}, {"If-Modified-Since", modified}} {
		if resp, body := get(t, "GET", address, header...); resp.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%v: %s %q", header, resp.Status, body)
		}
	}
	if resp, _ := get(t, "GET", address, "If-None-Match", `"other"`); resp.StatusCode != http.StatusOK {
		t.Errorf("another version: %s", resp.Status)
	}
}

func TestAPartOfAFile(t *testing.T) {
	t.Parallel()
	address := site(t)
	resp, body := get(t, "GET", address+"/digits.txt", "Range", "bytes=2-4")
	if resp.StatusCode != http.StatusPartialContent || body != "234" || resp.Header.Get("Content-Range") != "bytes 2-4/10" {
		t.Errorf("%s %q %q", resp.Status, body, resp.Header.Get("Content-Range"))
	}
	resp, body = get(t, "GET", address+"/css/site.css", "Range", "bytes=0-1999", "Accept-Encoding", "gzip")
	if resp.Header.Get("Content-Encoding") != "" || body != files["css/site.css"][:2000] {
		t.Errorf("a part of a text: %q, %d bytes", resp.Header.Get("Content-Encoding"), len(body))
	}
	if resp, _ = get(t, "GET", address+"/digits.txt", "Range", "bytes=20-"); resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond the end: %s", resp.Status)
	}
}

func TestASymbolicLinkLeadsNowhereOutside(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, root)
	secret := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"out.txt": secret, "proc": "/proc", "in.txt": "digits.txt"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	address := serve(t, root)
	for _, path := range []string{"/out.txt", "/proc/self/environ"} {
		if resp, body := get(t, "GET", address+path); resp.StatusCode < 400 || strings.Contains(body, "secret") {
			t.Errorf("%s: %s %q", path, resp.Status, body)
		}
	}
	if _, body := get(t, "GET", address+"/in.txt"); body != "0123456789" {
		t.Errorf("a link within the tree: %q", body)
	}
}

func TestWithoutAPageForWhatIsMissing(t *testing.T) {
	t.Parallel()
	if resp, body := get(t, "GET", serve(t, t.TempDir())+"/nothing"); resp.StatusCode != 404 || body != "Not Found\n" {
		t.Errorf("%s %q", resp.Status, body)
	}
}

func TestWhatCannotBeServed(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		root, listen string
		want         batuta.Kind
	}{
		{t.TempDir(), taken.Addr().String(), batuta.Conflict},
		{filepath.Join(t.TempDir(), "missing"), "127.0.0.1:0", batuta.NotFound},
		{file, "127.0.0.1:0", batuta.NotFound},
	} {
		err := proxy.ServeFiles(t.Context(), test.root, test.listen, slog.New(slog.DiscardHandler))
		if !errors.Is(err, test.want) {
			t.Errorf("serve %s at %s: %v, want %s", test.root, test.listen, err, test.want)
		}
	}
}

func TestARequestUnderWayIsFinishedAtTheEnd(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	const size = 64 << 20
	if err := os.WriteFile(filepath.Join(root, "large.bin"), make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	log := addressLog{found: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() { ended <- proxy.ServeFiles(ctx, root, "127.0.0.1:0", slog.New(log)) }()
	resp, err := http.Get("http://" + <-log.found + "/large.bin") // the rest is sent as it is read
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	stop()
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Errorf("got %d bytes of %d: %v", n, size, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestTheEndDoesNotWaitForSpareConnections has a client that opens a
// connection and asks nothing, for which http.Server would wait five seconds.
func TestTheEndDoesNotWaitForSpareConnections(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	log := addressLog{found: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() { ended <- proxy.ServeFiles(ctx, t.TempDir(), "127.0.0.1:0", slog.New(log)) }()
	spare, err := net.Dial("tcp", <-log.found)
	if err != nil {
		t.Fatal(err)
	}
	defer spare.Close()
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(4 * time.Second):
		t.Error("the server waits for a connection on which nothing was asked")
	}
}
