package proxy

import (
	"net"
	"net/http"
	"sync"
)

// spares is the connections on which no request has come yet. Browsers and
// proxies open some in reserve; a server that shuts down would give each of
// them five seconds to begin.
type spares struct {
	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
}

// note is the server's ConnState.
func (s *spares) note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.open, c)
	case s.closed:
		_ = c.Close() // it came while the server shut down
	default:
		if s.open == nil {
			s.open = map[net.Conn]bool{}
		}
		s.open[c] = true
	}
}

func (s *spares) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.open {
		_ = c.Close() // nobody waits for an answer on it
	}
}
