package registry_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batuta/internal/registry"
)

// TestOnlyFaultsOfOursAreLoggedAsErrors does not run in parallel: distribution
// has one logger for the whole process.
func TestOnlyFaultsOfOursAreLoggedAsErrors(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	reg := open(t, registry.Config{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	defer reg.Close()
	server := httptest.NewServer(reg)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	ref := push(t, repository(t, host, "portal/web"), randomImage(t, 1024))
	manifest := server.URL + "/v2/portal/web/manifests/"
	ask(t, http.MethodGet, manifest+"none", nil)
	if log.Len() > 0 {
		t.Errorf("a push and a missing manifest were logged:\n%s", &log)
	}

	// The link to the manifest becomes something that cannot be read.
	link := filepath.Join(dir, "docker/registry/v2/repositories/portal/web/_manifests/revisions/sha256",
		strings.TrimPrefix(ref.DigestStr(), "sha256:"), "link")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(link, 0o700); err != nil {
		t.Fatal(err)
	}
	if resp := ask(t, http.MethodGet, manifest+ref.DigestStr(), nil); resp.StatusCode != http.StatusInternalServerError {
		t.Fatalf("a broken manifest: %s", resp.Status)
	}
	server.Close()
	for _, want := range []string{"level=ERROR", "is a directory", "vars.name=portal/web", "part=registry"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, &log)
		}
	}
}
