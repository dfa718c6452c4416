package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/lab"
)

const hookSecret = "what-the-forge-signs-with"

// TestWebhook has a forge tell of pushes: to an app whose repository is read
// over HTTP with a token, here from another server's Git remote.
func TestWebhook(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-hooked")
	ships := lab.Ships(t, 2)
	const source = batuta.AppName("hello-source")
	forge := newSite(t, "docker", ships, source, "")
	forge.serve(t)
	w := forge.newWorkingCopy(t, "static", source)
	w.edit("batuta.yml", string(source), string(app)) // so that it is nothing to the forge's own server
	w.edit("batuta.yml", "branches: [main]", "branches: [live]")
	w.push()

	s := newSite(t, lab.BuildKit(t), ships, "unused", fmt.Sprintf(`  %s:
    repository: %s/git/%s.git
    credentials: {token: %s}
    webhook_secrets: [an-older-secret-of-the-hook, %s]
    environments: {qa: {ships: {role: qa}}, production: {ships: {role: production}}}
`, app, forge.url, source, forge.token, hookSecret))
	t.Cleanup(func() { s.sweep(t, app) })
	s.serve(t)

	head := lab.Git(t, w.dir, "rev-parse", "HEAD")
	push := func(delivery, ref string) *http.Request { return s.gitea(t, app, delivery, ref, head) }
	first := s.hook(t, push("d-1", "refs/heads/main"), http.StatusAccepted)
	if again := s.hook(t, push("d-1", "refs/heads/main"), http.StatusAccepted); again.Run != first.Run || !again.Duplicate {
		t.Errorf("the same delivery again: %+v, want run %d as a duplicate", again, first.Run)
	}
	if run := s.ended(t, first.Run); run.Status != batuta.RunSkipped || !strings.Contains(run.Error, "branch main is not among on.push.branches (live)") {
		t.Errorf("a push to a branch that is not wanted: %s: %s", run.Status, run.Error)
	}
	lab.Git(t, w.dir, "push", "--quiet", "origin", "main:live")
	live := s.hook(t, push("d-2", "refs/heads/live"), http.StatusAccepted)
	s.succeeds(t, live.Run)
	s.answers(t, app, "qa", 1, "Hello from Batuta")
	gone := s.hook(t, push("d-5", "refs/tags/v1"), http.StatusAccepted)
	if run := s.ended(t, gone.Run); run.Status != batuta.RunSkipped || run.Error != "tag v1 was deleted before the run began" {
		t.Errorf("a push of a tag that is not there any more: %s: %s", run.Status, run.Error)
	}
	s.refusals(t, app, push)
	s.delivered(t, app, "ignored: tag v1 was deleted before the run began", "run 2", "duplicate of run 1", "ignored: branch main is not among on.push.branches (live)")
}

// delivered checks what was decided about what came to an app, the newest
// first.
func (s *site) delivered(t *testing.T, app batuta.AppName, want ...string) {
	t.Helper()
	all, err := s.client.Deliveries(t.Context(), app, 10)
	if err != nil || len(all) != len(want) {
		t.Fatalf("%d deliveries are kept (%v), want %d", len(all), err, len(want))
	}
	for i, d := range all {
		if d.Decision != want[i] || d.Forge != "gitea" || d.Event != "push" || d.Sender != "ana" || d.Source == "" {
			t.Errorf("delivery %d is kept as %+v, want %q", d.ID, d, want[i])
		}
	}
}

// refusals checks that a wrong signature and an unknown app look alike, and
// leave a line in the audit trail and no run.
func (s *site) refusals(t *testing.T, app batuta.AppName, push func(delivery, ref string) *http.Request) {
	t.Helper()
	before, err := s.client.Runs(t.Context(), "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	forged, unknown := push("d-3", "refs/heads/main"), push("d-4", "refs/heads/main")
	forged.Header.Set("X-Gitea-Signature", strings.Repeat("0", 64))
	unknown.URL.Path = "/webhooks/nobody"
	a, b := s.hook(t, forged, http.StatusUnauthorized), s.hook(t, unknown, http.StatusUnauthorized)
	if a != b {
		t.Errorf("a wrong signature is answered %+v, an unknown app %+v", a, b)
	}
	after, err := s.client.Runs(t.Context(), "", "", 100)
	if err != nil || len(after) != len(before) {
		t.Errorf("%d runs became %d (%v)", len(before), len(after), err)
	}
	entries, err := s.client.Audit(t.Context(), app, 10)
	if err != nil || len(entries) == 0 || entries[0].Action != "webhook refused" || !strings.Contains(entries[0].Object, "d-3") {
		t.Errorf("the audit trail begins with %+v (%v)", entries, err)
	}
}

// gitea is a push as Gitea delivers it.
func (s *site) gitea(t *testing.T, app batuta.AppName, delivery, ref, head string) *http.Request {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"ref": ref, "before": strings.Repeat("0", 40), "after": head,
		"commits":     []any{map[string]any{"id": head, "message": "Say hello"}},
		"head_commit": map[string]any{"id": head, "message": "Say hello"},
		"pusher":      map[string]any{"login": "ana", "username": "ana"},
		"repository":  map[string]any{"full_name": "acme/" + string(app)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.signedByGitea(t, app, delivery, string(body))
}

// signedByGitea is a push with this body as Gitea delivers it.
func (s *site) signedByGitea(t *testing.T, app batuta.AppName, delivery, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/webhooks/"+string(app), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(hookSecret))
	io.WriteString(mac, body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Gitea-Event", "push")
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-Gitea-Delivery", delivery)
	r.Header.Set("X-Gitea-Signature", hex.EncodeToString(mac.Sum(nil)))
	return r
}

// hooked is the answer to a delivery.
type hooked struct {
	Run       batuta.RunID `json:"run"`
	Duplicate bool         `json:"duplicate"`
	Error     string       `json:"error"`
}

func (s *site) hook(t *testing.T, r *http.Request, status int) (answer hooked) {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil || response.StatusCode != status {
		t.Fatalf("the delivery is answered %s: %s (%v), want %d", response.Status, body, err, status)
	}
	return answer
}
