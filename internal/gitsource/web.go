package gitsource

import (
	"net/http"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// webSession is a conversation with a forge over HTTP.
type webSession struct {
	transport.UploadPackSession
	connections *http.Transport
}

// dialHTTP prepares a conversation; it connects with the first request.
// Credentials never follow a redirect to another host.
func dialHTTP(at *transport.Endpoint, c Credentials) (*webSession, error) {
	connections := http.DefaultTransport.(*http.Transport).Clone()
	connections.ResponseHeaderTimeout = 2 * time.Minute // a server may have to pack a lot first
	web := githttp.NewClientWithOptions(&http.Client{Transport: connections}, &githttp.ClientOptions{RedirectPolicy: githttp.FollowInitialRedirects})
	var auth transport.AuthMethod // not a nil *BasicAuth
	if basic := c.basic(); basic != nil {
		auth = basic
	}
	s, err := web.NewUploadPackSession(at, auth)
	if err != nil {
		return nil, err
	}
	return &webSession{UploadPackSession: s, connections: connections}, nil
}

// Close hangs up.
func (s *webSession) Close() error {
	defer s.connections.CloseIdleConnections()
	return s.UploadPackSession.Close()
}
