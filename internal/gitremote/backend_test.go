package gitremote

import (
	"context"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPushOfAKilledServerEnds has git receive a push of which the half comes,
// because the server that passes it on is killed: git must end by itself, for
// it has the lock of the repository.
func TestPushOfAKilledServerEnds(t *testing.T) {
	t.Parallel()
	r := &Remote{config: Config{Dir: t.TempDir()}}
	var err error
	if _, r.backend, err = findGit(t.Context()); err != nil {
		t.Fatal(err)
	}
	repo := filepath.Join(r.config.Dir, "portal.git")
	if out, err := exec.CommandContext(t.Context(), "git", "init", "--quiet", "--bare", repo).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	half := strings.NewReader("00")
	request := httptest.NewRequest("POST", "/git/portal.git/git-receive-pack", strings.NewReader(strings.Repeat("0", 1000)))
	request.Header.Set("Content-Type", "application/x-git-receive-pack-request")

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	backend := exec.CommandContext(ctx, r.backend)
	backend.Env = r.backendEnv(request, call{app: "portal", service: receivePack, person: "ana"})
	backend.Stdin = half
	out, err := backend.CombinedOutput()
	if ctx.Err() != nil || !strings.Contains(string(out), "hung up") {
		t.Errorf("git ends with %v (%v):\n%s", err, ctx.Err(), out)
	}
}
