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

// open begins a session and gives the value of its cookie.
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

// find tells whose session a request belongs to.
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

// close ends the session of a request, if it has one.
func (s *sessions) close(r *http.Request) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, cookie.Value)
}
