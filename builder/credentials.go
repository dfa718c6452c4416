package builder

import (
	"context"

	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"
)

// credentials answers a daemon that asks, through the session of a build, how
// to log in to a registry. The daemon fetches tokens itself; no Docker
// configuration file is read.
type credentials struct {
	auth.UnimplementedAuthServer
	login func(host string) Login
}

// Register offers the service on a session.
func (c credentials) Register(s *grpc.Server) { auth.RegisterAuthServer(s, c) }

// dockerHub is the host that a daemon says when it means docker.io.
const dockerHub = "registry-1.docker.io"

// Credentials gives the login for one registry.
func (c credentials) Credentials(_ context.Context, r *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	host := r.Host
	if host == dockerHub {
		host = "docker.io"
	}
	l := c.login(host)
	return &auth.CredentialsResponse{Username: l.User, Secret: l.Password}, nil
}
