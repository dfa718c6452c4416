package api_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/api"
	"batuta/internal/api/apitest"
)

// answer is what came back for a request.
type answer struct {
	status  int
	header  http.Header
	body    string
	problem api.Failure
}

func ask(t *testing.T, w *apitest.World, person, method, path, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+api.Prefix+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if person != "" {
		req.Header.Set("Authorization", "Bearer "+apitest.Token(person))
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) answer {
	t.Helper()
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: r.StatusCode, header: r.Header, body: string(text)}
	if a.status >= 300 {
		if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("%s %s: %d as %s: %s", req.Method, req.URL.Path, a.status, got, text)
		}
		if err := json.Unmarshal(text, &a.problem); err != nil || a.problem.Status != a.status {
			t.Errorf("%s %s: problem %s: %v", req.Method, req.URL.Path, text, err)
		}
	}
	return a
}

func TestEveryRouteAnswers(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/version", "", 200, `{"version":"1.2.3","you":"admin"}`},
		{"GET", "/apps", "", 200, `[{"app":"blog"},{"app":"portal","repository":"https://git.example.edu/portal.git"}]`},
		{"GET", "/status", "", 200, `"environment":"production","release":2`},
		{"GET", "/status?app=blog", "", 200, `"reason":"nothing was deployed yet"`},
		{"GET", "/runs?limit=1", "", 200, `"kind":"promotion"`},
		{"GET", "/runs?status=failed", "", 200, `[]`},
		{"GET", "/runs/4", "", 200, `"name":"deploy production"`},
		{"GET", "/runs/1/log", "", 200, "\tbuild web\tpushed\n"},
		{"POST", "/runs/4/rerun", "", 202, `"id":5`},
		{"POST", "/apps/portal/runs", `{"ref":"v2"}`, 202, `"ref":"v2"`},
		{"GET", "/apps/portal/releases", "", 200, `"digest":"sha256:`},
		{"GET", "/apps/blog/releases", "", 200, `[]`},
		{"GET", "/apps/portal/deployments?environment=production", "", 200, `"status":"live"`},
		{"POST", "/apps/portal/environments/production/plan", `{}`, 200, `"text":"replace web-1`},
		{"POST", "/apps/portal/environments/production/deployments", `{"kind":"rollback"}`, 202, `"kind":"rollback"`},
		{"GET", "/audit?app=portal", "", 200, `"action":"promotion asked"`},
		{"GET", "/audit", "", 200, `"by":"ana"`},
		{"GET", "/ships", "", 200, `"reason":"no answer for 1s"`},
		{"GET", "/ships/node1", "", 200, `"instance":"web-1"`},
		{"POST", "/ships/node1/cordon", `{"why":"new disk"}`, 200, `"mark":"cordoned","marked":"2026-03-01T12:00:00Z","by":"admin","why":"new disk"`},
		{"POST", "/ships/node2/drain", `{}`, 202, `"stuck":[{"app":"portal"`},
		{"POST", "/ships/node2/uncordon", `{}`, 200, `"reachable":true`},
		{"GET", "/apps/portal/environments/production/history?kind=crashed&instance=web-1&since=2026-03-01T11:50:00Z", "", 200, `"exit_code":137`},
		{"GET", "/apps/portal/environments/-/history?limit=1", "", 200, `"kind":"crashed"`},
	} {
		got := ask(t, w, "admin", c.method, c.path, c.body)
		if got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, got.status, got.body, c.status, c.want)
		}
	}
}

func TestWhatIsInternalStaysInside(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	if got := ask(t, w, "admin", "GET", "/runs/1", ""); strings.Contains(got.body, "of the engine") || strings.Contains(got.body, `"output"`) {
		t.Errorf("a step's output is shown: %s", got.body)
	}
	if got := ask(t, w, "admin", "GET", "/apps/portal/releases", ""); strings.Contains(got.body, "batuta: 1") {
		t.Errorf("the documents are shown: %s", got.body)
	}
}

func TestProblemsByKind(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	w.Sicken("qa", "web-1 is down")
	const plan = "/apps/portal/environments/production/plan"
	for _, c := range []struct {
		method, path, body string
		status             int
		kind               batuta.Kind
		detail             string
	}{
		{"GET", "/runs/99", "", 404, batuta.NotFound, "no run 99"},
		{"GET", "/nothing", "", 404, batuta.NotFound, "no route GET /api/v1/nothing"},
		{"GET", "/apps/nobody/releases", "", 404, batuta.NotFound, "no app nobody"},
		{"GET", "/runs/zero", "", 422, batuta.Invalid, "path.id: invalid integer"},
		{"GET", "/runs?limit=501", "", 422, batuta.Invalid, "expected number <= 500"},
		{"GET", "/runs?statsu=failed", "", 422, batuta.Invalid, "unknown query parameter"},
		{"GET", "/runs?status=odd", "", 422, batuta.Invalid, "expected value to be one of"},
		{"POST", plan, `{"releese":3}`, 422, batuta.Invalid, "body.releese: unexpected property"},
		{"POST", plan, `{"by":"somebody else"}`, 422, batuta.Invalid, "body.by: unexpected property"},
		{"POST", plan, `{"kind":"push"}`, 422, batuta.Invalid, "expected value to be one of"},
		{"POST", plan, `{`, 400, batuta.Invalid, "unexpected end of JSON"},
		{"POST", plan, `{"from":"` + strings.Repeat("x", 1<<17) + `"}`, 413, batuta.Invalid, "too large"},
		{"POST", plan, `{}`, 409, batuta.Unhealthy, "qa is not healthy: web-1 is down"},
		{"POST", "/apps/portal/environments/production/deployments", `{"kind":"rollback","approved":"old"}`, 409, batuta.Conflict, "has changed since"},
		{"POST", "/apps/blog/runs", `{}`, 503, batuta.Unavailable, "fetch blog"},
		{"POST", "/runs/1/cancel", "", 409, batuta.Conflict, "run 1 does not run"},
	} {
		got := ask(t, w, "admin", c.method, c.path, c.body)
		if got.status != c.status || got.problem.Kind != c.kind || !strings.Contains(got.problem.Detail, c.detail) {
			t.Errorf("%s %s: %s, want %d %s %q", c.method, c.path, got.body, c.status, c.kind, c.detail)
		}
	}
}

func TestDocumentsProblemsKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	w.Break(batuta.Problems{{File: "environments/qa.yml", Line: 3, Column: 5, Message: "unknown key"}})
	got := ask(t, w, "admin", "GET", "/runs", "")
	if got.status != 422 || len(got.problem.Problems) != 1 || got.problem.Problems[0].Line != 3 {
		t.Errorf("%s", got.body)
	}
}

func TestOurOwnFaultsAreLoggedAndNotTold(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	w := apitest.New(t, slog.New(slog.NewTextHandler(&log, nil)))
	w.Break(errors.New("database password hunter2 is wrong"))
	got := ask(t, w, "admin", "GET", "/runs", "")
	if got.status != 500 || got.problem.Kind != batuta.Internal || strings.Contains(got.body, "hunter2") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if !strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "operation=runs") {
		t.Errorf("log: %s", log.String())
	}
}

func TestStreamsBreakOffWhenTheServerStops(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	w.Hold()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+api.Prefix+"/runs/5/log?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, w, "ana", "POST", "/apps/portal/runs", `{}`)
	req.Header.Set("Authorization", "Bearer "+apitest.Token("ana"))
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	w.Stop()
	if _, err := io.ReadAll(r.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the stream ended with %v, as if the run had", err)
	}
}

// TestALogAsEvents reads a log as server-sent events, and goes on from the
// last of them.
func TestALogAsEvents(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	read := func(last string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+api.Prefix+"/runs/4/log", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+apitest.Token("ana"))
		req.Header.Set("Accept", "text/event-stream")
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatal(r.Header, err)
		}
		return strings.ReplaceAll(string(text), ":\n\n", "")
	}
	all := read("")
	plain := ask(t, w, "ana", "GET", "/runs/4/log", "").body
	first, rest, _ := strings.Cut(plain, "\n")
	head := fmt.Sprintf("id: %d\ndata: %s\n\n", len(first)+1, first)
	if rest == "" || !strings.HasPrefix(all, head) || !strings.Contains(all, "event: end\ndata: ") {
		t.Fatalf("%s\nis not the events of\n%s", all, plain)
	}
	if again := read(fmt.Sprint(len(first) + 1)); head+again != all {
		t.Errorf("from the first event on:\n%s\nwant what follows it in\n%s", again, all)
	}
}

// TestAStreamOfEventsKeepsTheLineOpen reads comments for as long as a run
// prints nothing.
func TestAStreamOfEventsKeepsTheLineOpen(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	w.Hold()
	ask(t, w, "ana", "POST", "/apps/portal/runs", `{}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+api.Prefix+"/runs/5/log?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apitest.Token("ana"))
	req.Header.Set("Accept", "text/event-stream")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	for beats := 0; beats < 3 && lines.Scan(); {
		if lines.Text() == ":" {
			beats++
		}
	}
	w.End(5, batuta.RunSucceeded)
	last := ""
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") {
			last = lines.Text()
		}
	}
	if last != "data: succeeded" || lines.Err() != nil {
		t.Errorf("it ends with %q, %v", last, lines.Err())
	}
}
