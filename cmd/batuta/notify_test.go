package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/internal/config"
	"batuta/internal/lab"
	"batuta/internal/notify"
	"batuta/pipeline"
)

// Addressees wants to know what people are told.
func (w *world) Addressees(n pipeline.Notice) []string {
	if len(n.Topics()) == 0 {
		return nil
	}
	return []string{"people"}
}

// Deliver takes note.
func (w *world) Deliver(_ context.Context, l pipeline.Letter) error {
	if w.onTell != nil {
		w.onTell()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notices = append(w.notices, l.Notice)
	return nil
}

// listeners are those whom an app may have told.
func (w *world) listeners(app batuta.AppName) []string {
	if w.notify == nil {
		return nil
	}
	return w.notify.Listeners(app)
}

// toldOf waits until people were told so many things, and gives them.
func (w *world) toldOf(t *testing.T, count int) (notices []pipeline.Notice) {
	t.Helper()
	lab.Wait(t, 10*time.Second, func() error { // what happened is saved before it is told
		w.mu.Lock()
		defer w.mu.Unlock()
		if notices = w.notices; len(notices) < count {
			return fmt.Errorf("people were told %d things, not %d", len(notices), count)
		}
		return nil
	})
	return notices
}

// TestPeopleAreToldHowARunEnded has the pipeline tell of a release that is
// live, of a run that failed, and of one that mended that.
func TestPeopleAreToldHowARunEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	live := s.succeeds(t, s.push(t, "one"))
	w.edit("environments/qa.yml", "build: web", "biuld: web")
	failed := s.fails(t, s.push(t, "two"), "biuld")
	w.edit("environments/qa.yml", "biuld: web", "build: web")
	mended := s.succeeds(t, s.push(t, "three"))
	promoted := s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))
	notices := w.toldOf(t, 4)
	one, two, three, four := notices[0], notices[1], notices[2], notices[3]
	if one.Kind != pipeline.WentLive || one.Run != live.ID || one.Environment != "qa" || one.Text != "release 1 is live in qa" || one.Recovered {
		t.Errorf("of the first run people are told %+v", one)
	}
	if two.Kind != pipeline.RunFailed || two.Run != failed.ID || two.Text != failed.Error {
		t.Errorf("of the second run people are told %+v", two)
	}
	if three.Kind != pipeline.WentLive || three.Run != mended.ID || !three.Recovered {
		t.Errorf("of the third run people are told %+v", three)
	}
	if topics := four.Topics(); four.Run != promoted.ID || len(topics) != 2 || topics[0] != batuta.OnPromotion || topics[1] != batuta.OnLive {
		t.Errorf("of the promotion people are told %+v, about %v", four, topics)
	}
}

// TestNobodyWaitsForWhoIsTold has everybody who is told take forever.
func TestNobodyWaitsForWhoIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forever := make(chan struct{})
	w.onTell = func() { <-forever }
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	s.succeeds(t, s.push(t, "two"))
	close(forever)
	w.toldOf(t, 2)
}

// listeners is who is told by a server.yml.
func listeners(t *testing.T, notify string) *notifier {
	t.Helper()
	return newNotifier(notifying(t, notify))
}

// notifying is a server.yml with such a notify.
func notifying(t *testing.T, notify string) *config.Config {
	t.Helper()
	c, err := config.Parse("server.yml", []byte("url: https://batuta.example.edu\nships: {a: {endpoint: unix:///run/docker.sock}}\napps: {shop: {}, blog: {}}\nnotify: "+notify+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhoIsToldWhat(t *testing.T) {
	t.Parallel()
	n := listeners(t, `[{url: "https://all.example.edu"}, {url: "https://shop.example.edu", apps: [shop]}, {url: "https://bad.example.edu", on: [failed, recovery, lost]},
		{url: "https://good.example.edu", on: [promotion, approval]}, {url: "https://good.example.edu", on: [promotion]}]`)
	live := pipeline.Notice{Kind: pipeline.WentLive, App: "blog", Run: 6, RunKind: batuta.RunPush}
	promoted, recovered, started := live, live, live
	promoted.RunKind, recovered.Recovered, started.Kind = batuta.RunPromotion, true, pipeline.RunStarted
	for want, notice := range map[string]pipeline.Notice{
		"all bad":      {Kind: pipeline.ShipLost, Ship: "a"},
		"all shop bad": {Kind: pipeline.RunFailed, App: "shop", Run: 7},
		"all":          live,
		"all good":     promoted,
		"all bad ":     recovered,
		"all good ":    {Kind: pipeline.ApprovalWanted, App: "blog"},
		"all shop":     {Kind: pipeline.DriftSeen, App: "shop"},
		"":             started,
	} {
		var told []string
		for _, name := range n.Addressees(notice) {
			host, _, _ := strings.Cut(strings.TrimPrefix(name, "notify "), ".")
			told = append(told, host)
		}
		if got := strings.Join(told, " "); got != strings.TrimSpace(want) {
			t.Errorf("of %s are told %q, want %q", notice.Kind, got, want)
		}
	}
}

// hearing is a webhook that takes note of whole requests, and answers 503 as
// long as it is told to.
type hearing struct {
	*httptest.Server
	mu       sync.Mutex
	refuse   bool
	messages []notify.Message
	ids      []string
}

func listenTo(t *testing.T) *hearing {
	t.Helper()
	h := &hearing{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m notify.Message
		h.mu.Lock()
		defer h.mu.Unlock()
		if err := json.Unmarshal(body, &m); err != nil || h.refuse {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		h.messages, h.ids = append(h.messages, m), append(h.ids, r.Header.Get(notify.DeliveryHeader))
	}))
	t.Cleanup(h.Close)
	return h
}

// heard waits for so many requests.
func (h *hearing) heard(t *testing.T, count int) (messages []notify.Message, ids []string) {
	t.Helper()
	lab.Wait(t, 30*time.Second, func() error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if messages, ids = h.messages, h.ids; len(messages) < count {
			return errors.New("too few requests")
		}
		return nil
	})
	return messages, ids
}

func TestAWebhookIsTold(t *testing.T) {
	t.Parallel()
	ear := listenTo(t)
	n := listeners(t, "[{url: "+ear.URL+", on: [failed]}]")
	failed := pipeline.Notice{Kind: pipeline.RunFailed, App: "shop", Run: 7, Text: "no such image"}
	if err := n.Deliver(t.Context(), pipeline.Letter{Notice: failed, To: n.Addressees(failed)[0], ID: 3}); err != nil {
		t.Fatal(err)
	}
	got, _ := ear.heard(t, 1)
	want := notify.Message{Topic: "failed", Kind: "run failed", App: "shop", Run: 7, URL: "https://batuta.example.edu/runs/7", Text: "no such image"}
	if got[0] != want {
		t.Errorf("told %+v, want %+v", got[0], want)
	}
	if err := n.Deliver(t.Context(), pipeline.Letter{Notice: failed, To: "somebody else"}); !errors.Is(err, batuta.NotFound) {
		t.Errorf("who is not in server.yml any more: %v", err)
	}
}

// TestANoticeOutlivesAKill kills a server with SIGKILL after its webhook had a
// message and before it could note that, and has the next server tell it again
// under the same id, and then no more.
func TestANoticeOutlivesAKill(t *testing.T) {
	t.Parallel()
	ear := listenTo(t)
	dir := t.TempDir()
	address := fmt.Sprintf("127.0.0.1:%d", lab.FreePort(t, "127.0.0.1"))
	s := &site{url: "http://" + address, file: filepath.Join(dir, "server.yml")}
	text := fmt.Sprintf(`
listen: %s
data: %s
ships: {a: {endpoint: "unix://%s/none.sock"}}
apps: {shop: {repository: "http://127.0.0.1:1/shop.git", webhook_secrets: [0123456789abcdef0123]}}
runs: {retries: 0}
reconcile: {every: 0}
notify: [{url: "%s", on: [failed]}]
`, address, filepath.Join(dir, "data"), dir, ear.URL)
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	first := s.start(t, "before letter ended")
	deliverSigned(t, s.url+"/webhooks/shop", "0123456789abcdef0123", `{"ref": "refs/heads/main", "after": "6dcb09b5b57875f334f61aebed695e2e4193db5e"}`)
	<-first.ended
	second := s.start(t, "")
	messages, ids := ear.heard(t, 2)
	if messages[0] != messages[1] || ids[0] != ids[1] || messages[0].Kind != "run failed" {
		t.Errorf("told %+v (%s), and then %+v (%s)", messages[0], ids[0], messages[1], ids[1])
	}
	deliverSigned(t, s.url+"/webhooks/shop", "0123456789abcdef0123", `{"ref": "refs/heads/main", "after": "0000000000000000000000000000000000000001"}`)
	messages, ids = ear.heard(t, 3)
	if len(messages) != 3 || messages[2].Run != 2 || ids[2] == ids[0] {
		t.Errorf("the third is %+v (%s)", messages[2], ids[2])
	}
	second.kill(t)
}

// deliverSigned posts a push as anything that can sign does.
func deliverSigned(t *testing.T, address, secret, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Batuta-Event", "push")
	r.Header.Set("X-Batuta-Signature-256", notify.Sign(secret, []byte(body)))
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode/100 != 2 {
		t.Fatalf("the push is answered %s", a.Status)
	}
}

// TestAChatIsTold brings a notice to an ntfy, under a name that does not show
// its token.
func TestAChatIsTold(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 1)
	ntfy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- string(body)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(ntfy.Close)
	n := listeners(t, `[{url: "ntfy://:tk_a_token@`+strings.TrimPrefix(ntfy.URL, "http://")+`/deploys?disabletls=yes", on: [recovery]}]`)
	mended := pipeline.Notice{Kind: pipeline.WentLive, App: "shop", Environment: "qa", Run: 7, Recovered: true, Text: "release 2 is live in qa"}
	to := n.Addressees(mended)
	if len(to) != 1 || !strings.HasPrefix(to[0], "notify ntfy #") || strings.Contains(to[0], "tk_a_token") {
		t.Fatalf("told are %q", to)
	}
	if err := n.Deliver(t.Context(), pipeline.Letter{Notice: mended, To: to[0]}); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "shop qa: recovered\nrelease 2 is live in qa\nhttps://batuta.example.edu/runs/7" {
		t.Errorf("the chat is told %q", got)
	}
}
