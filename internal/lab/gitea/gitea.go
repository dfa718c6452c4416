// Package gitea is a real forge for tests: Gitea, compiled from its Go module
// and run on this machine with its own SQLite database. Repositories, webhooks
// and commit statuses are asked of its API, as people's programs do it.
package gitea

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"batuta/internal/lab"
	"batuta/internal/lab/host"
)

// The owner of all repositories, who may do everything.
const (
	User     = "ada"
	Password = "a-password-for-the-tests-only"
)

// Gitea is one that runs, and is gone when its test ends.
type Gitea struct {
	URL   string // http://127.0.0.1:port
	Token string // of User: reads and writes repositories
}

// settings leave out what a forge on one machine without a network has no use
// for. Pages and texts come from the module's directory.
const settings = `
RUN_MODE = prod
WORK_PATH = %[1]s
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = %[2]d
ROOT_URL = http://127.0.0.1:%[2]d/
STATIC_ROOT_PATH = %[3]s
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = %[1]s/gitea.db
[security]
INSTALL_LOCK = true
[webhook]
ALLOWED_HOST_LIST = *
[indexer]
ISSUE_INDEXER_TYPE = db
[actions]
ENABLED = false
[log]
MODE = console
LEVEL = warn
`

// Start runs a Gitea with one user and no repositories.
func Start(t testing.TB) *Gitea {
	t.Helper()
	program, static, err := build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir, port := t.TempDir(), lab.FreePort(t, "127.0.0.1")
	config := filepath.Join(dir, "app.ini")
	if err := os.WriteFile(config, fmt.Appendf(nil, settings, dir, port, static), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"migrate"},
		{"admin", "user", "create", "--admin", "--username", User, "--password", Password, "--email", User + "@example.edu", "--must-change-password=false"},
	} {
		if err := host.Run(t.Context(), program, append([]string{"--config", config}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	p, err := host.Start(filepath.Join(dir, "log"), program, "--config", config, "web")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Errorf("end Gitea: %v", err)
		}
	})
	g := &Gitea{URL: fmt.Sprintf("http://127.0.0.1:%d", port)}
	lab.Wait(t, time.Minute, func() error {
		if err := p.Err(); err != nil {
			t.Fatal(err)
		}
		return g.ask(t.Context(), http.MethodGet, "/version", nil, nil)
	})
	var token struct {
		Secret string `json:"sha1"`
	}
	g.Ask(t, http.MethodPost, "/users/"+User+"/tokens", map[string]any{"name": "tests", "scopes": []string{"write:repository", "write:user"}}, &token)
	g.Token = token.Secret
	return g
}

// Ask asks Gitea's API below /api/v1, and reads the answer into a value unless
// that is nil.
func (g *Gitea) Ask(t testing.TB, method, path string, body, answer any) {
	t.Helper()
	if err := g.ask(t.Context(), method, path, body, answer); err != nil {
		t.Fatal(err)
	}
}

func (g *Gitea) ask(ctx context.Context, method, path string, body, answer any) error {
	sent, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, g.URL+"/api/v1"+path, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(User, Password)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
	case answer == nil:
		return nil
	}
	return json.Unmarshal(text, answer)
}
