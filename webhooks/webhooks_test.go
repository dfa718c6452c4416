package webhooks_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/webhooks"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// server is a receiver with two apps and an inbox in memory.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	pushes   []batuta.Push
	log      []batuta.Delivery
	refusals []webhooks.Refusal
	broken   error
}

func (s *server) Webhook(app batuta.AppName) ([]string, bool) {
	secrets, ok := map[batuta.AppName][]string{"portal": {"new secret", "old secret"}, "open": nil, "blank": {""}, "vault": {"secret-of-the-hook"}}[app]
	return secrets, ok
}

func (s *server) Deliver(_ context.Context, d batuta.Delivery) (webhooks.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, d)
	if d.Decision != "" {
		return webhooks.Receipt{}, s.broken
	}
	p := d.Push()
	for i, known := range s.pushes {
		if known.Forge == p.Forge && known.Delivery == p.Delivery {
			return webhooks.Receipt{Run: batuta.RunID(i + 1), Duplicate: true}, nil
		}
	}
	if s.broken == nil {
		s.pushes = append(s.pushes, p)
	}
	return webhooks.Receipt{Run: batuta.RunID(len(s.pushes))}, s.broken
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(s.receiver(0))
	t.Cleanup(s.Close)
	return s
}

// receiver is what the server serves.
func (s *server) receiver(patience time.Duration) http.Handler {
	return webhooks.New(webhooks.Config{
		Apps: s, Inbox: s, Forges: forges(), Images: webhooks.Registries(), Patience: patience,
		Audit: s.audit, MaxAge: 1e9 * time.Second, // what was recorded may be old
	})
}

func (s *server) audit(_ context.Context, r webhooks.Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals = append(s.refusals, r)
}

// deliver posts a body and gives the answer: status and body.
func (s *server) deliver(t *testing.T, app string, h map[string]string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/webhooks/"+app, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range h {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(answer))
}

func sign(body []byte, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func github(event, delivery string, body []byte, secret string) map[string]string {
	return map[string]string{
		"Content-Type": "application/json", "X-GitHub-Event": event, "X-GitHub-Delivery": delivery,
		"X-Hub-Signature-256": "sha256=" + sign(body, secret),
	}
}

// gitea sends GitHub's headers too, as the real one does.
func gitea(event, delivery string, body []byte, secret string) map[string]string {
	h := github(event, delivery, body, secret)
	maps.Copy(h, map[string]string{"X-Gitea-Event": event, "X-Gitea-Delivery": delivery, "X-Gogs-Event": event, "X-Gitea-Signature": sign(body, secret)})
	return h
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, hub := fixture(t, "testdata/github/push.branch.json")
	_, tea := fixture(t, "testdata/gitea/push.branch.json")
	_, ping := fixture(t, "testdata/github/ping.json")
	form := []byte(url.Values{"payload": {string(hub)}}.Encode())
	formHeader := github("push", "d-3", form, "new secret")
	formHeader["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
	teaForm := []byte(url.Values{"payload": {string(tea)}}.Encode())
	teaFormHeader := gitea("push", "d-4", tea, "new secret") // the JSON is signed, not the form
	teaFormHeader["Content-Type"] = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name   string
		h      map[string]string
		body   []byte
		status int
		answer string
	}{
		{"a push", github("push", "d-1", hub, "new secret"), hub, 202, `{"run":1,"duplicate":false}`},
		{"again", github("push", "d-1", hub, "new secret"), hub, 202, `{"run":1,"duplicate":true}`},
		{"the same id of another forge, signed with the older secret", gitea("push", "d-1", tea, "old secret"), tea, 202, `{"run":2,"duplicate":false}`},
		{"a form", formHeader, form, 202, `{"run":3,"duplicate":false}`},
		{"a form of gitea", teaFormHeader, teaForm, 202, `{"run":4,"duplicate":false}`},
		{"without an id", github("push", "", hub, "new secret"), hub, 202, `{"run":5,"duplicate":false}`},
		{"without an id, again", github("push", "", hub, "new secret"), hub, 202, `{"run":5,"duplicate":true}`},
		{"ping", github("ping", "d-5", ping, "new secret"), ping, 200, `{"ignored":"ping: the webhook works"}`},
		{"another event", github("star", "d-6", []byte("{}"), "new secret"), []byte("{}"), 200, `{"ignored":"the event \"star\" is no push"}`},
		{"no JSON", github("push", "d-7", []byte("{"), "new secret"), []byte("{"), 400, `{"error":"the payload is not the JSON that it should be: unexpected end of JSON input"}`},
		{"no forge", map[string]string{"Content-Type": "application/json"}, hub, 400, `{"error":"not the delivery of a forge that is known here: forgejo, gitea, gogs, github, gitlab, bitbucket, bitbucket-server, generic, azure"}`},
	} {
		if status, answer := s.deliver(t, "portal", c.h, c.body); status != c.status || answer != c.answer {
			t.Errorf("%s: %d %s; want %d %s", c.name, status, answer, c.status, c.answer)
		}
	}
	want := batuta.Push{
		App: "portal", Forge: "github", Delivery: "d-1", Ref: "refs/heads/main", Sender: "ana", Message: "Greet in the morning",
		Before: "6dcb09b5b57875f334f61aebed695e2e4193db5e", Revision: "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
	}
	if diff := cmp.Diff(want, s.pushes[0], cmpopts.IgnoreFields(batuta.Push{}, "Received")); diff != "" || time.Since(s.pushes[0].Received) > time.Minute {
		t.Errorf("push at %v (-want +got):\n%s", s.pushes[0].Received, diff)
	}
	if len(s.refusals) > 0 {
		t.Errorf("refused: %+v", s.refusals)
	}
}

// Whatever is wrong at the door, the answer is the same, nothing is parsed,
// and the operator learns why.
func TestRefusal(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := []byte("not even JSON")
	with := func(h map[string]string, name, value string) map[string]string {
		h = maps.Clone(h)
		h[name] = value
		return h
	}
	good := github("push", "d-1", body, "new secret")
	tea := gitea("push", "d-1", body, "new secret")
	hub, bare := "X-Hub-Signature-256", "X-Gitea-Signature"
	for name, c := range map[string]struct {
		app    string
		h      map[string]string
		reason string
	}{
		"another secret":             {"portal", github("push", "d-1", body, "wrong"), "wrong or missing signature"},
		"another body":               {"portal", github("push", "d-1", []byte("x"), "new secret"), "wrong or missing signature"},
		"no signature":               {"portal", with(good, hub, ""), "wrong or missing signature"},
		"no digest":                  {"portal", with(good, hub, "sha256="), "wrong or missing signature"},
		"no prefix":                  {"portal", with(good, hub, sign(body, "new secret")), "wrong or missing signature"},
		"only SHA-1":                 {"portal", with(with(good, hub, ""), "X-Hub-Signature", "sha1=7bd1d2e04b0ee4fb6e4bf92a9c9c9a5b2e1e6b11"), "wrong or missing signature"},
		"gitea without":              {"portal", with(tea, bare, ""), "wrong or missing signature"},
		"gitea with GitHub's":        {"portal", with(tea, bare, "sha256="+sign(body, "new secret")), "wrong or missing signature"},
		"an app without secrets":     {"open", github("push", "d-1", body, ""), "the app has no webhook secret"},
		"an app with a blank secret": {"blank", github("push", "d-1", body, ""), "wrong or missing signature"},
		"an unknown app":             {"nothing", good, "unknown app"},
		"no app":                     {"", good, "unknown app"},
	} {
		s.refusals = nil
		status, answer := s.deliver(t, c.app, c.h, body)
		if status != 401 || answer != `{"error":"no such app, or the signature is not right"}` {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		if len(s.refusals) != 1 || s.refusals[0].Reason != c.reason || s.refusals[0].App != c.app || s.refusals[0].Delivery != "d-1" || s.refusals[0].Source == "" {
			t.Errorf("%s: audited as %+v, want %q", name, s.refusals, c.reason)
		}
	}
	if len(s.pushes) > 0 {
		t.Errorf("pushes: %+v", s.pushes)
	}
}

func TestInboxThatFails(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.broken = errors.New("disk full at /secret/path")
	_, body := fixture(t, "testdata/github/push.branch.json")
	status, answer := s.deliver(t, "portal", github("push", "d-1", body, "new secret"), body)
	if status != 503 || answer != `{"error":"the push could not be kept; deliver it again"}` {
		t.Errorf("%d %s", status, answer)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := bytes.Repeat([]byte(" "), webhooks.MaxBody+1)
	status, answer := s.deliver(t, "portal", github("push", "d-1", body, "new secret"), body)
	if status != 413 || answer != `{"error":"a delivery may have 25 MiB"}` {
		t.Errorf("%d %s", status, answer)
	}
}

func TestOnlyPost(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	res, err := http.Get(s.URL + "/webhooks/portal")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Error(res.Status)
	}
}
