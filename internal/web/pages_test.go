package web_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"batuta"
	"batuta/pipeline"
)

func TestFrontPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := get(t, w.signedIn(t, anasToken), w.URL+"/")
	a.shows(t,
		`rowspan="2">portal`, "production", "healthy", "unhealthy", "not running: exited 137", "exited 137</span>",
		`<a href="http://10.0.0.12:8080" rel="noreferrer">`, `<a href="/runs/213">release 13</a> <span class="mark bad">rolled back</span>`,
		"nothing is live", "applying", "Ship <b>node3</b> does not answer.", "2 days ago",
		"superseded by run 214", "503 Service Unavailable for 1m0s …", "2.1 s", "1 min 0 s",
	)
	a.hides(t, "01-01", "0001", "106751", "the last it printed")
	if n := strings.Count(a.body, "Ship <b>node3"); n != 1 {
		t.Errorf("one ship is said to be silent %d times", n)
	}
}

func TestShipsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := get(t, w.signedIn(t, anasToken), w.URL+"/ships")
	a.shows(t,
		"node1", "open", "20.10.24", "1.2/4", "30 %", "portal qa 1/2", "role=web", `<span class="mark busy">draining</span>`, "draining by ana", "3 h ago",
		"no answer for 1s", "lost <time", "7 min ago",
		`<span class="mark good">1 r41 8 min</span>`, `<span class="mark bad">0/1</span>`, "not running: exited 137", `<span class="mark bad">1 lost</span>`, "drift",
	)
	a.hides(t, "<script", "<img")
	b := get(t, w.signedIn(t, bensToken), w.URL+"/ships")
	b.shows(t, "node1", "shop qa 1/1")
	b.hides(t, "portal")
	get(t, w.signedIn(t, anasToken), w.URL+"/").shows(t, "worker-1 on node1 was stopped by hand", "4 min ago")
}

func TestDeliveriesPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ben := w.signedIn(t, bensToken)
	get(t, ben, w.URL+"/").shows(t, `href="/apps/shop/deliveries"`)
	a := get(t, ben, w.URL+"/apps/shop/deliveries")
	a.shows(t, "gitea", "refs/heads/main", `<a href="/runs/217">run 217</a>`, "2 s ago", "&lt;script&gt;",
		"distribution", "docker.io/library/redis:7", "ignored: docker.io/library/redis:7 not in on.registry", "7 min ago")
	a.hides(t, "<script", "<img", "portal", "refs/heads/dev")
	hidden, missing := get(t, ben, w.URL+"/apps/portal/deliveries"), get(t, ben, w.URL+"/nowhere")
	if hidden.status != http.StatusNotFound || hidden.body != missing.body {
		t.Errorf("deliveries to an app that is hidden: %d; a page that is not there: %d", hidden.status, missing.status)
	}
	ana := w.signedIn(t, anasToken)
	get(t, ana, w.URL+"/apps/portal/deliveries").shows(t, `<a href="/runs/214">ignored: branch dev`)
	get(t, ana, w.URL+"/apps/docs/deliveries").shows(t, "Nothing was delivered yet.")
	w.set(func(w *world) { w.broken = errors.New("disk gone") })
	if a := get(t, ana, w.URL+"/apps/portal/deliveries"); a.status != http.StatusInternalServerError {
		t.Errorf("when they cannot be read: %d", a.status)
	}
}

func TestEmptyFrontPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(func(w *world) { w.status, w.runs = nil, nil })
	get(t, w.signedIn(t, anasToken), w.URL+"/").shows(t, "Nothing has been released yet.", "No run yet.")
}

func TestWhatPeopleWriteIsNoMarkup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(func(w *world) {
		w.status = append(w.status, pipeline.EnvironmentStatus{
			App: hostile, Environment: hostile, Release: 1, Reason: hostile,
			Containers: []batuta.ContainerState{container(hostile, hostile, hostile, hostile, hostile, "javascript:alert(1)")},
		})
		w.runs = append(w.runs, batuta.Run{ID: 300, App: hostile, Status: hostile, Error: hostile, By: hostile, Push: batuta.Push{Message: hostile, Ref: hostile}})
	})
	b := w.signedIn(t, anasToken)
	for _, page := range []string{"/", "/runs/300", "/runs/213"} {
		a := get(t, b, w.URL+page)
		a.shows(t, "&lt;script&gt;alert(")
		a.hides(t, "<script", "<img", `href="javascript:`, "\x1b")
	}
}

func TestAnAppOnesOwnRightsDoNotReach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ben := w.signedIn(t, bensToken)
	a := get(t, ben, w.URL+"/")
	a.shows(t, "shop", "/runs/213")
	a.hides(t, "portal", "docs", "/runs/214", "/runs/216")
	hidden, missing := get(t, ben, w.URL+"/runs/214"), get(t, ben, w.URL+"/runs/9999")
	if hidden.status != http.StatusNotFound || hidden.body != missing.body {
		t.Errorf("a run that is hidden: %d; one that is not there: %d", hidden.status, missing.status)
	}
	if a := get(t, ben, w.URL+"/runs/213"); a.status != http.StatusOK {
		t.Errorf("ben's own run: %d", a.status)
	}
	// what one viewer is not shown is not lost for the next
	get(t, w.signedIn(t, anasToken), w.URL+"/").shows(t, "portal", "docs", "shop")
}

func TestRunPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signedIn(t, anasToken)
	a := get(t, b, w.URL+"/runs/213")
	a.shows(t, "<title>Run 213 of shop: failed</title>", "after 1 min 0 s", "refs/heads/main", "the last it printed", "<h3>build web</h3>", "#5 [2/3] COPY . .")
	a.hides(t, `http-equiv="refresh"`, "01-01")
	a = get(t, b, w.URL+"/runs/216")
	a.shows(t, `http-equiv="refresh" content="2"`, "build web", "attempt 2", "500 ms")
	a = get(t, b, w.URL+"/runs/217") // queued: nothing has begun
	a.shows(t, "queued")
	a.hides(t, "<h2>Steps", "<h2>Log", "0001")
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signedIn(t, anasToken)
	for _, page := range []string{"/", "/login", "/runs/213", "/style.css", "/icon.svg", "/nowhere"} {
		a := get(t, b, w.URL+page)
		policy := a.header.Get("Content-Security-Policy")
		for _, rule := range []string{"default-src 'none'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, rule) {
				t.Errorf("%s: no %s in %q", page, rule, policy)
			}
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: %v", page, a.header)
		}
	}
}

func TestNoSuchPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signedIn(t, anasToken)
	for _, page := range []string{"/runs/9999", "/runs/-1", "/runs/x", "/runs/99999999999999999999", "/runs/", "/nowhere", "/pages/style.css"} {
		a := get(t, b, w.URL+page)
		if a.status != http.StatusNotFound {
			t.Errorf("%s: %d", page, a.status)
		}
		a.shows(t, "There is no such page.")
	}
}

func TestErrorsAreForTheLogAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(func(w *world) { w.broken = errors.New("open /var/lib/batuta/batuta.db: input/output error") })
	b := w.browser(t)
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	post(t, b, w.URL+"/login", map[string][]string{"token": {anasToken}})
	for _, page := range []string{"/", "/runs/213"} {
		a := get(t, b, w.URL+page)
		if a.status != http.StatusInternalServerError {
			t.Errorf("%s: %d", page, a.status)
		}
		a.shows(t, "log says why")
		a.hides(t, "input/output", "/var/lib")
		if !strings.Contains(w.logged.String(), "path="+page) || !strings.Contains(w.logged.String(), "input/output error") {
			t.Errorf("%s: logged %s", page, w.logged)
		}
	}
}

func TestAShipThatDoesNotAnswerHoldsUpNoPage(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	w := newWorld(t)
	w.set(func(w *world) { w.gate = gate })
	b := w.signedIn(t, anasToken) // the page comes all the same
	a := get(t, b, w.URL+"/")
	a.shows(t, "The ships are being asked what they run.", "/runs/213")
	a.hides(t, "unhealthy")
	close(gate)
	get(t, b, w.URL+"/").shows(t, "unhealthy", "portal")
}
