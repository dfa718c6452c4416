package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/api/apitest"
	"batuta/internal/config"
)

// openAPI is what a test needs of the description.
type openAPI struct {
	Paths map[string]map[string]struct {
		OperationID string                     `json:"operationId"`
		Responses   map[string]json.RawMessage `json:"responses"`
	} `json:"paths"`
}

func describe(t *testing.T, w *apitest.World) openAPI {
	t.Helper()
	var d openAPI
	if err := json.Unmarshal([]byte(ask(t, w, "", "GET", "/openapi.json", "").body), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEveryRouteHasARule walks the routes as they are served: without a token
// nobody passes, and whoever has less than the least right of a route is
// turned away by name.
func TestEveryRouteHasARule(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	fill := strings.NewReplacer("{id}", "4", "{app}", "portal", "{env}", "production", "{ship}", "node1")
	least := map[string]config.Right{}
	for path, methods := range describe(t, w).Paths {
		for method, op := range methods {
			method, place := strings.ToUpper(method), fill.Replace(path)
			if op.OperationID == "key" {
				if got := ask(t, w, "", method, place, ""); got.status != http.StatusOK || got.body != apitest.Key {
					t.Errorf("the key is not for everybody: %d %s", got.status, got.body)
				}
				continue
			}
			if got := ask(t, w, "", method, place, ""); got.status != http.StatusUnauthorized {
				t.Errorf("%s %s without a token: %d", method, path, got.status)
			}
			least[op.OperationID] = leastRight(t, w, method, place)
			if _, ok := op.Responses["default"]; !ok {
				t.Errorf("%s %s describes no errors", method, path)
			}
		}
	}
	want := map[string]config.Right{
		"version": "read", "apps": "read", "status": "read", "runs": "read", "run": "read", "log": "read", "releases": "read",
		"deployments": "read", "plan": "read", "start": "push", "rerun": "deploy", "cancel": "deploy", "deploy": "deploy", "approve": "deploy", "audit": "admin",
		"history": "read", "ships": "read", "ship": "read", "cordon": "admin", "uncordon": "admin", "drain": "admin",
		"config": "read", "why": "read", "bases": "read", "provenance": "read", "artifacts": "read", "bundle": "read", "deliveries": "read", "delivery": "read", "redeliver": "push",
	}
	for id, right := range least {
		if want[id] != right {
			t.Errorf("%s takes %q, want %q", id, right, want[id])
		}
	}
	if len(least) != len(want) {
		t.Errorf("%d routes, want %d", len(least), len(want))
	}
}

// leastRight is that of the first person who is not refused.
func leastRight(t *testing.T, w *apitest.World, method, path string) config.Right {
	t.Helper()
	body := ""
	if method == "POST" {
		body = `{"unknown":true}`
	}
	for _, p := range []struct {
		name  string
		right config.Right
	}{{"reader", config.Read}, {"pusher", config.Push}, {"deployer", config.Deploy}, {"admin", config.Admin}} {
		got := ask(t, w, p.name, method, path, body)
		if got.status != http.StatusForbidden {
			return p.right
		}
		if !strings.HasPrefix(got.problem.Detail, p.name+" may not ") || got.problem.Kind != batuta.Denied {
			t.Errorf("%s %s: %s", method, path, got.body)
		}
	}
	return ""
}

// Whose right to push it is may repeat what a push did, and nothing that a
// person sent elsewhere.
func TestARerunTakesTheRightOfItsRun(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	pushed, sent := w.Sent("qa"), w.Sent("preview")
	for id, want := range map[batuta.RunID]int{pushed: http.StatusAccepted, sent: http.StatusForbidden} {
		if got := ask(t, w, "pusher", "POST", fmt.Sprintf("/runs/%d/rerun", id), ""); got.status != want {
			t.Errorf("run %d: %d %s, want %d", id, got.status, got.body, want)
		}
	}
}

func TestPeopleSeeOnlyTheirApps(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	for path, want := range map[string]int{
		"/runs/4": 404, "/runs/4/log": 404, "/apps/portal/releases": 403, "/apps/nobody/releases": 403, "/runs?app=portal": 403, "/status?app=portal": 403, "/apps/blog/releases": 200,
	} {
		if got := ask(t, w, "blogger", "GET", path, ""); got.status != want {
			t.Errorf("blogger GET %s: %d, want %d", path, got.status, want)
		}
	}
	for path, want := range map[string]string{"/runs": "[]", "/apps": `[{"app":"blog"}]`} {
		if got := ask(t, w, "blogger", "GET", path, ""); strings.TrimSpace(got.body) != want {
			t.Errorf("blogger GET %s: %s", path, got.body)
		}
	}
	if got := ask(t, w, "blogger", "GET", "/status", ""); strings.Contains(got.body, "portal") || got.status != 200 {
		t.Errorf("blogger GET /status: %s", got.body)
	}
	if got := ask(t, w, "blogger", "POST", "/runs/4/rerun", ""); got.status != 404 {
		t.Errorf("blogger reruns portal: %d", got.status)
	}
	if got := ask(t, w, "ana", "GET", "/status", ""); strings.Contains(got.body, "blog") || !strings.Contains(got.body, "portal") {
		t.Errorf("ana GET /status: %s", got.body)
	}
}

func TestWhoAsksIsWhoseTokenItIs(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	if got := ask(t, w, "ana", "POST", "/apps/portal/environments/production/deployments", `{"kind":"deploy"}`); !strings.Contains(got.body, `"by":"ana"`) {
		t.Errorf("%s", got.body)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	for name, c := range map[string]struct {
		set  func(*http.Request)
		want int
	}{
		"bearer":       {func(r *http.Request) { r.Header.Set("Authorization", "bearer "+apitest.Token("reader")) }, 200},
		"basic":        {func(r *http.Request) { r.SetBasicAuth("anything", apitest.Token("reader")) }, 200},
		"as user":      {func(r *http.Request) { r.SetBasicAuth(apitest.Token("reader"), "") }, 401},
		"wrong":        {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+apitest.Token("nobody")) }, 401},
		"empty":        {func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, 401},
		"other scheme": {func(r *http.Request) { r.Header.Set("Authorization", "Digest "+apitest.Token("reader")) }, 401},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.URL+"/api/v1/version", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.set(req)
		got := do(t, req)
		if got.status != c.want || got.status == 401 && got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %v", name, got.status, got.header)
		}
	}
}
