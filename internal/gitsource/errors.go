package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"batuta"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

var (
	errTooLarge   = errors.New("too large")
	errNotACommit = errors.New("not a commit")
	errGone       = errors.New("the revision is not in the repository")
	errAddress    = errors.New("not an address of a repository")
)

// missingRef is a ref that the repository does not have.
type missingRef struct{ ref string }

func (m *missingRef) Error() string { return "no ref " + m.ref }

// explain turns what went wrong into what a person can act on. Addresses
// inside err are those that go-git got, which hold no credentials.
func explain(ctx context.Context, repo Repository, err error, maxBytes int64) error {
	if _, known := errors.AsType[*batuta.Error](err); known {
		return fmt.Errorf("fetch %s: %w", repo, err)
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("fetch %s: %w", repo, cause)
	}
	var ref *missingRef
	problem := func(kind batuta.Kind, hint, format string, args ...any) error {
		return &batuta.Error{Kind: kind, Message: fmt.Sprintf("fetch "+format, args...), Hint: hint}
	}
	switch {
	case errors.Is(err, errTooLarge):
		return problem(batuta.Invalid, "raise source.max_size in server.yml, or keep large files out of the repository",
			"%s: repository is larger than the limit %s (source.max_size in server.yml)", repo, size(maxBytes))
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return problem(batuta.Invalid, "push a commit to it", "%s: the repository is empty", repo)
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed), errors.Is(err, errRefused):
		return problem(batuta.Denied, "check the app's credentials in server.yml: they must be allowed to read this repository",
			"%s: the server refused us (%s given)", repo, repo.Credentials)
	case errors.Is(err, errUnknownHost):
		return problem(batuta.Denied, "compare the server's host key, then add the lines that ssh-keyscan prints to the app's known hosts in server.yml",
			"%s: the server's host key is not the known one", repo)
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return problem(batuta.NotFound, "check the address; a private repository also looks like this to someone without credentials",
			"%s: there is no such repository (%s given)", repo, repo.Credentials)
	case errors.As(err, &ref):
		return problem(batuta.NotFound, "push it, or name another", "%s: there is no %s", repo, orDefault(ref.ref))
	case errors.Is(err, errGone), errors.Is(err, plumbing.ErrObjectNotFound):
		return problem(batuta.NotFound, "it may have been force-pushed away: push again, or run the newest revision", "%s: %v", repo, errGone)
	case errors.Is(err, syscall.ENOSPC):
		return problem(batuta.Unavailable, "make room in the server's data directory", "%s: the disk is full", repo)
	case errors.Is(err, errNotACommit), errors.Is(err, errAddress):
		return problem(batuta.Invalid, "", "%s: %v", repo, err)
	}
	if here := (*fs.PathError)(nil); errors.As(err, &here) || local(repo) {
		return &batuta.Error{Kind: batuta.Internal, Message: "fetch " + repo.String(), Err: err}
	}
	return &batuta.Error{Kind: batuta.Unavailable, Message: "fetch " + repo.String(), Hint: "check that the server is reachable from here", Err: errors.New(redact(repo, err.Error()))}
}

// redact blanks the credentials, should a server send them back to us.
func redact(repo Repository, s string) string {
	c := repo.Credentials
	for _, secret := range []string{c.Token, c.Password, c.SSHKey} {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	return s
}

// orDefault names a ref for a person.
func orDefault(ref string) string {
	if ref == "" {
		return "default branch"
	}
	return fmt.Sprintf("branch or tag %q", ref)
}

// size prints a number of bytes as server.yml would have it.
func size(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if n >= unit.bytes {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/float64(unit.bytes)), ".0") + " " + unit.name
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
