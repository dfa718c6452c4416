package web_test

import (
	"net/http"
	"net/url"
	"testing"

	"batuta/internal/web"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser(t)
	if a := get(t, b, w.URL+"/"); a.path != "/login" {
		t.Fatalf("without a session the first page is %s", a.path)
	}
	a := post(t, b, w.URL+"/login", url.Values{"token": {"token-of-nobody-at-all"}})
	if a.status != http.StatusUnauthorized || len(a.header.Values("Set-Cookie")) > 0 {
		t.Errorf("a wrong token: %d %v", a.status, a.header)
	}
	a.shows(t, "This token is not known here.")
	a.hides(t, "token-of-nobody", "portal")

	if a = post(t, b, w.URL+"/login", url.Values{"token": {anasToken}}); a.path != "/" || a.status != http.StatusOK {
		t.Fatalf("a right token: %d at %s", a.status, a.path)
	}
	a.shows(t, "portal", "ana", "Sign out")
	if a = post(t, b, w.URL+"/logout", nil); a.path != "/login" {
		t.Errorf("after signing out: %s", a.path)
	}
	if a = get(t, b, w.URL+"/"); a.path != "/login" {
		t.Errorf("signed out, the first page is %s", a.path)
	}
}

func TestSigningOutEndsTheSessionItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.signedIn(t, anasToken)
	at, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	stolen := b.Jar.Cookies(at)
	post(t, b, w.URL+"/logout", nil)
	thief := w.browser(t)
	thief.Jar.SetCookies(at, stolen)
	if a := get(t, thief, w.URL+"/"); a.path != "/login" {
		t.Errorf("with a copy of the cookie: %s", a.path)
	}
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		header []string
		secure bool
	}{
		{"plain HTTP", nil, false},
		{"behind a proxy that speaks TLS", []string{"X-Forwarded-Proto", "https"}, true},
	} {
		b := w.browser(t)
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		a := post(t, b, w.URL+"/login", url.Values{"token": {anasToken}}, c.header...)
		cookies := (&http.Response{Header: a.header}).Cookies()
		if a.status != http.StatusSeeOther || len(cookies) != 1 {
			t.Fatalf("%s: %d %v", c.name, a.status, a.header)
		}
		got := cookies[0]
		if !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Secure != c.secure || got.Path != "/" || got.MaxAge <= 0 || len(got.Value) < 26 {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		a := post(t, w.browser(t), w.URL+"/login", url.Values{"token": {anasToken}}, headers...)
		if a.status != http.StatusForbidden || len(a.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%v: login: %d", headers, a.status)
		}
		b := w.signedIn(t, anasToken)
		if a := post(t, b, w.URL+"/logout", nil, headers...); a.status != http.StatusForbidden {
			t.Errorf("%v: logout: %d", headers, a.status)
		}
		if a := get(t, b, w.URL+"/"); a.path != "/" {
			t.Errorf("%v: signed out all the same", headers)
		}
	}
}

func TestALargeFormIsNoToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	filler := make([]byte, 64<<10)
	for i := range filler {
		filler[i] = 'x'
	}
	a := post(t, w.browser(t), w.URL+"/login", url.Values{"filler": {string(filler)}, "token": {anasToken}})
	if a.status != http.StatusUnauthorized {
		t.Errorf("%d", a.status)
	}
}

func TestTheDoorLeadsToTheRunThatWasAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser(t)
	if a := get(t, b, w.URL+"/runs/213"); a.path != "/login?to=%2Fruns%2F213" {
		t.Fatalf("the door is at %s", a.path)
	} else {
		a.shows(t, `name="to" value="/runs/213"`)
	}
	if a := post(t, b, w.URL+"/login", url.Values{"token": {anasToken}, "to": {"/runs/213"}}); a.path != "/runs/213" {
		t.Errorf("it leads to %s", a.path)
	}
	for _, to := range []string{"https://evil.example/", "//evil.example/runs/1", "/runs/1/../../x", "/runs/1\r\nX: y", "/logout"} {
		if a := post(t, w.browser(t), w.URL+"/login", url.Values{"token": {anasToken}, "to": {to}}); a.path != "/" {
			t.Errorf("%q leads to %s", to, a.path)
		}
	}
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *web.Config) { c.Anonymous = true })
	b := w.browser(t)
	a := get(t, b, w.URL+"/")
	if a.path != "/" {
		t.Fatalf("the first page is %s", a.path)
	}
	a.shows(t, "portal", "shop")
	a.hides(t, "Sign out")
	get(t, b, w.URL+"/runs/213").shows(t, "Run 213 of shop")
}
