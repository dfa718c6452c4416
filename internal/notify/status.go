package notify

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"batuta"
)

// State is where the run of a commit stands.
type State string

// The states.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Skipped   State = "skipped" // nothing was to be done
	Stopped   State = "stopped" // cancelled, or superseded by a newer push
)

// Status is what a forge is told of a commit.
type Status struct {
	Revision    batuta.Revision
	Ref         string // refs/heads/main; empty: unknown
	State       State
	Context     string // tells it from the statuses of others
	Description string
	URL         string // of the run's page
}

// Reporter is a forge that shows the statuses of commits.
type Reporter interface {
	// Report makes one attempt. The same status again changes nothing.
	Report(ctx context.Context, s Status) error
}

// Repository is where a forge keeps a repository, and what opens its API.
type Repository struct {
	URL   string // of the forge, as people open it, without a slash at the end
	Path  string // owner/name
	User  string // with a token that is a password; empty: a bearer's token
	Token string
}

// longest is as many characters of a description as every forge takes.
const longest = 140

// headline is the status's description as a forge takes it.
func (s Status) headline() string { return headline(cmp.Or(s.Description, string(s.State)), longest) }

// branch is the short name of the status's ref; empty if it is unknown.
func (s Status) branch() string {
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		if name, ok := strings.CutPrefix(s.Ref, prefix); ok {
			return name
		}
	}
	return ""
}

// bearer is the Authorization of a token, or of a user with a password.
func (r Repository) bearer() http.Header {
	if r.User != "" {
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(r.User+":"+r.Token))}}
	}
	return http.Header{"Authorization": {"Bearer " + r.Token}}
}

// at is the address of an API: where it is, and the parts of a path below it,
// each of them escaped.
func at(root string, parts ...string) string {
	var b strings.Builder
	b.WriteString(root)
	for _, part := range parts {
		b.WriteString("/" + url.PathEscape(part))
	}
	return b.String()
}

// split is a repository's owner, which may have slashes of its own, and name.
func (r Repository) split() (owner, name string) {
	i := strings.LastIndexByte(r.Path, '/')
	return r.Path[:max(i, 0)], r.Path[i+1:]
}

// report sends what a forge takes. Why the forge refuses it is in its answer,
// and so in the error.
func (r Repository) report(ctx context.Context, address string, header http.Header, body any) ([]byte, error) {
	text, err := encode(body)
	if err != nil {
		return nil, err
	}
	answer, err := post(ctx, address, header, text)
	if e, ok := errors.AsType[*batuta.Error](err); ok && e.Kind == batuta.Denied {
		said := strings.ReplaceAll(string(answer), r.Token, "[secret]")
		e.Message += ": " + cmp.Or(headline(said, longest), "it does not say why")
	}
	return answer, err
}
