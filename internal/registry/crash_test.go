package registry_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"batuta/internal/registry"
)

// childDir in the environment makes the test binary a registry on that
// directory, so that a test can kill it.
const childDir = "BATUTA_TEST_REGISTRY_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, serveChild(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func serveChild(dir string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	reg, err := registry.New(context.Background(), registry.Config{Dir: dir, Authorize: authorize, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, reg)
}

// child starts a registry on dir in a process of its own. The function it
// gives kills it as kill -9 does, and waits until it is gone.
func child(t *testing.T, dir string) (host string, kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("start a registry: %v", err)
	}
	return strings.TrimSpace(line), kill
}

func TestAKilledPushLeavesNothingWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	host, kill := child(t, dir)
	img := randomImage(t, 8<<20)
	ref := repository(t, host, "portal/web").Digest(digestOf(t, img).String())
	err := remote.Write(ref, img, auth(pushToken), remote.WithTransport(&killer{after: 9 << 20, kill: kill}), remote.WithJobs(1), once)
	if err == nil {
		t.Fatal("the push ended before the registry was killed")
	}

	host, _ = child(t, dir)
	repo := repository(t, host, "portal/web")
	if _, err := remote.Head(repo.Digest(ref.DigestStr()), auth(pullToken)); err == nil {
		t.Error("the manifest of a push that did not end is there")
	}
	if err := pull(t.Context(), push(t, repo, img), pullToken); err != nil {
		t.Errorf("the same push again: %v", err)
	}
}

// killer is a transport that kills the registry once that many bytes were sent
// to it.
type killer struct {
	after int64
	kill  func()
}

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, k), r.Body}
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (k *killer) Write(p []byte) (int, error) {
	if k.after -= int64(len(p)); k.after < 0 {
		k.kill()
	}
	return len(p), nil
}

func TestAnUploadGoesOnWhereAKillStoppedIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	host, kill := child(t, dir)
	content := strings.Repeat("0123456789abcdef", 1<<18) // 4 MB
	half := len(content) / 2
	resp := ask(t, http.MethodPatch, beginUpload(t, host, "portal/web"), strings.NewReader(content[:half]))
	location := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("patch: %s", resp.Status)
	}
	// The second part is on its way when the registry dies.
	body := io.TeeReader(strings.NewReader(content[half:]), &killer{after: 1 << 20, kill: kill})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "http://"+host+location, body)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("anyone", pushToken)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Fatal("the upload ended before the registry was killed")
	}

	host, _ = child(t, dir)
	resp = ask(t, http.MethodGet, "http://"+host+strings.Split(location, "?")[0], nil)
	var last int
	if _, err := fmt.Sscanf(resp.Header.Get("Range"), "0-%d", &last); err != nil || last+1 < half {
		t.Fatalf("where the upload stands: %s %q", resp.Status, resp.Header.Get("Range"))
	}
	sum := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
	resp = ask(t, http.MethodPut, "http://"+host+resp.Header.Get("Location")+"&digest="+sum, strings.NewReader(content[last+1:]))
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("finish: %s %s", resp.Status, read(t, resp.Body))
	}
	if got := read(t, ask(t, http.MethodGet, "http://"+host+"/v2/portal/web/blobs/"+sum, nil).Body); got != content {
		t.Errorf("the blob has %d bytes, not the %d that were sent", len(got), len(content))
	}
}
