package gitsource

import (
	"cmp"
	"log/slog"

	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// Credentials open a private repository: over HTTP a token, or a user and a
// password; over SSH a key. They print as what they are, never as their
// values.
type Credentials struct {
	Token string // sent as the password, which every forge takes; User may be empty
	User  string
	// Password goes with User.
	Password string
	// SSHKey is a private key in PEM or OpenSSH form, without a passphrase.
	SSHKey string
	// KnownHosts are lines as ssh-keyscan prints them. A server that is not
	// among them is not spoken to.
	KnownHosts string
}

// String names the kind of credentials.
func (c Credentials) String() string {
	switch {
	case c.SSHKey != "":
		return "SSH key"
	case c.Token != "":
		return "token"
	case c.User != "" || c.Password != "":
		return "user and password"
	}
	return "no credentials"
}

// GoString is String: what %#v prints holds no secret either.
func (c Credentials) GoString() string { return c.String() }

// LogValue is String, for package slog.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// basic is how the credentials go over HTTP; nil if there are none.
func (c Credentials) basic() *githttp.BasicAuth {
	switch {
	case c.Token != "":
		return &githttp.BasicAuth{Username: cmp.Or(c.User, "x-access-token"), Password: c.Token}
	case c.User != "" || c.Password != "":
		return &githttp.BasicAuth{Username: c.User, Password: c.Password}
	}
	return nil
}
