package web

import (
	"net/http"
	"net/url"
	"regexp"

	"batuta"
)

// signedIn shows a page to those who may look, and the door to the others.
func (d *Dashboard) signedIn(page func(http.ResponseWriter, *http.Request, viewer)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, ok := d.sessions.find(r)
		if !ok && d.Anonymous {
			who, ok = viewer{may: func(batuta.AppName) bool { return true }}, true
		}
		if !ok {
			http.Redirect(w, r, doorTo(r.URL.Path), http.StatusSeeOther)
			return
		}
		page(w, r, who)
	}
}

// runPage is the only page, beside the first, that the door leads to: links to
// it are in what a push answers and in commit statuses.
var runPage = regexp.MustCompile(`^/runs/[0-9]+$`)

// beyond is where somebody goes from the door: to the page asked for if it is
// one of ours, and else to the first.
func beyond(path string) string {
	if runPage.MatchString(path) {
		return path
	}
	return "/"
}

// doorTo is the door that leads to a page.
func doorTo(path string) string {
	if to := beyond(path); to != "/" {
		return "/login?" + url.Values{"to": {to}}.Encode()
	}
	return "/login"
}

func (d *Dashboard) door(w http.ResponseWriter, r *http.Request) {
	d.showDoor(w, http.StatusOK, beyond(r.URL.Query().Get("to")))
}

func (d *Dashboard) showDoor(w http.ResponseWriter, status int, to string) {
	d.show(w, status, "login.html", struct {
		frame
		To      string
		Refused bool
	}{d.frame(viewer{}), to, status == http.StatusUnauthorized})
}

// maxForm bounds the form of the door, in bytes.
const maxForm = 4 << 10

// login takes a token from the form of our own page and starts a session.
func (d *Dashboard) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, "Sign in from the server's own page.", http.StatusForbidden)
		return
	}
	to := beyond(r.PostFormValue("to"))
	name, may, ok := d.Doorman.Admit(r.PostFormValue("token"))
	if !ok {
		d.showDoor(w, http.StatusUnauthorized, to)
		return
	}
	http.SetCookie(w, cookie(r, d.sessions.open(viewer{name, may}), int(sessionLife.Seconds())))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (d *Dashboard) logout(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, "Sign out from the server's own page.", http.StatusForbidden)
		return
	}
	d.sessions.close(r)
	http.SetCookie(w, cookie(r, "", -1))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// cookie holds a session. It comes along when a link elsewhere leads here, as
// in a commit status, but not with a form sent from elsewhere; and only over
// TLS, if the browser speaks TLS with us or the proxy before us.
func cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	}
}
