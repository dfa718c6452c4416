package web

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"batuta"
)

// sessionLife is how long a sign-in lasts. Sessions live in memory: a restart
// of the server ends them.
const (
	sessionLife   = 12 * time.Hour
	sessionCookie = "batuta_session"
	maxSessions   = 1000
)

// viewer is who looks, and at which apps.
type viewer struct {
	name string
	may  func(batuta.AppName) bool
}

type session struct {
	viewer
	ends time.Time
}

// sessions is who is signed in.
type sessions struct {
	mu   sync.Mutex
	live map[string]session
}

func (s *sessions) open(v viewer) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, old := range s.live {
		if now.After(old.ends) || len(s.live) >= maxSessions {
			delete(s.live, id)
		}
	}
	if s.live == nil {
		s.live = map[string]session{}
	}
	id := rand.Text()
	s.live[id] = session{v, now.Add(sessionLife)}
	return id
}

func (s *sessions) find(r *http.Request) (viewer, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return viewer{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.live[cookie.Value]
	return found.viewer, ok && time.Now().Before(found.ends)
}

func (s *sessions) close(r *http.Request) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, cookie.Value)
}

// signedIn shows a page to those who may look, and the door to the others.
func (d *Dashboard) signedIn(page func(http.ResponseWriter, *http.Request, viewer)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, ok := d.sessions.find(r)
		if !ok && d.Anonymous {
			who, ok = viewer{may: func(batuta.AppName) bool { return true }}, true
		}
		if !ok {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		page(w, r, who)
	}
}

func (d *Dashboard) door(w http.ResponseWriter, _ *http.Request) {
	d.show(w, "login.html", map[string]any{"Version": d.Version})
}

// login takes a token from the form of our own page and starts a session.
func (d *Dashboard) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, "Sign in from the server's own page.", http.StatusForbidden)
		return
	}
	name, may, ok := d.Doorman.Admit(r.PostFormValue("token"))
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		d.show(w, "login.html", map[string]any{"Version": d.Version, "Refused": true})
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: d.sessions.open(viewer{name, may}), Path: "/", MaxAge: int(sessionLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (d *Dashboard) logout(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, "Sign out from the server's own page.", http.StatusForbidden)
		return
	}
	d.sessions.close(r)
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
