package web_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/internal/web"
	"batuta/pipeline"
)

const (
	anasToken = "token-of-ana-who-sees-everything"
	bensToken = "token-of-ben-who-sees-only-shop-"
)

// world is a dashboard on a port, what it shows, and what it logs.
type world struct {
	*httptest.Server
	logged *journal

	mu     sync.Mutex
	status []pipeline.EnvironmentStatus
	runs   []batuta.Run
	posted []batuta.Delivery
	broken error           // what reading gives instead
	gate   <-chan struct{} // the ships answer once it is closed; nil: at once
}

// journal is what the server logs.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// newWorld starts a dashboard; change may alter its configuration.
func newWorld(t *testing.T, change ...func(*web.Config)) *world {
	t.Helper()
	logs, err := pipeline.NewFileLogs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{logged: &journal{}, status: someStatus(time.Now()), runs: someRuns(time.Now()), posted: someDeliveries(time.Now())}
	writeLog(t, logs)
	c := web.Config{Reader: w, Harbour: w, Logs: whole{logs}, Doorman: doorman{}, Version: "1.2.3", Log: slog.New(slog.NewTextHandler(w.logged, nil))}
	for _, f := range change {
		f(&c)
	}
	d, err := web.New(c)
	if err != nil {
		t.Fatal(err)
	}
	w.Server = httptest.NewServer(d)
	t.Cleanup(func() {
		w.Close()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) Status(ctx context.Context, _ batuta.AppName) ([]pipeline.EnvironmentStatus, error) {
	w.mu.Lock()
	status, broken, gate := w.status, w.broken, w.gate
	w.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return status, broken
}

func (w *world) ListShips(context.Context) ([]pipeline.ShipStatus, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return someShips(time.Now()), w.broken
}

func (w *world) Runs(_ context.Context, limit int) ([]batuta.Run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.runs[:min(limit, len(w.runs))], w.broken
}

func (w *world) Run(_ context.Context, id batuta.RunID) (batuta.Run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.runs {
		if r.ID == id {
			return r, w.broken
		}
	}
	return batuta.Run{}, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("no run %d", id)}
}

func (w *world) Deliveries(_ context.Context, app batuta.AppName, limit int) ([]batuta.Delivery, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []batuta.Delivery
	for _, d := range w.posted {
		if d.App == app {
			all = append(all, d)
		}
	}
	return all[:min(limit, len(all))], w.broken
}

func (w *world) set(change func(*world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

type doorman struct{}

func (doorman) Admit(token string) (string, func(batuta.AppName) bool, bool) {
	switch token {
	case anasToken:
		return "ana", func(batuta.AppName) bool { return true }, true
	case bensToken:
		return "ben", func(app batuta.AppName) bool { return app == "shop" }, true
	}
	return "", nil, false
}

type whole struct{ *pipeline.FileLogs }

func (l whole) Log(ctx context.Context, id batuta.RunID, w io.Writer) error {
	return l.Follow(ctx, id, 0, func() bool { return true }, w)
}

// browser follows redirects and keeps cookies, as a browser does.
func (w *world) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: w.Client().Transport}
}

// signedIn is a browser whose owner has signed in.
func (w *world) signedIn(t *testing.T, token string) *http.Client {
	t.Helper()
	b := w.browser(t)
	a := post(t, b, w.URL+"/login", url.Values{"token": {token}})
	if a.status != http.StatusOK || a.path != "/" {
		t.Fatalf("signed in: %d at %s", a.status, a.path)
	}
	return b
}

// answer is what a browser shows in the end.
type answer struct {
	status int
	path   string
	header http.Header
	body   string
}

func get(t *testing.T, b *http.Client, address string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, b, req)
}

func post(t *testing.T, b *http.Client, address string, form url.Values, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return do(t, b, req)
}

func do(t *testing.T, b *http.Client, req *http.Request) answer {
	t.Helper()
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Request.URL.RequestURI(), resp.Header, string(body)}
}

// shows fails the test unless the page has all of these texts.
func (a answer) shows(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s does not show %q:\n%s", a.path, text, a.body)
		}
	}
}

// hides fails the test if the page has any of these texts.
func (a answer) hides(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("%s shows %q:\n%s", a.path, text, a.body)
		}
	}
}
