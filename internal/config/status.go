package config

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"batuta"
	"batuta/internal/document"
)

// Status is how a forge is told of an app's runs, at the commits that they are
// about.
type Status struct {
	Forge      ForgeName `yaml:"forge"`      // default: by the repository's host
	URL        string    `yaml:"url"`        // of the forge, as people open it, without a slash at the end; default: where the repository is
	Repository string    `yaml:"repository"` // owner/name there; default: the repository's path
	User       string    `yaml:"user"`       // with a token that is a password; empty: the token is enough
	Token      Secret    `yaml:"token"`      // default: the one of the app's credentials
	Context    string    `yaml:"context"`    // tells it from the statuses of others; default: batuta
}

// ForgeName is a kind of forge that shows the statuses of commits.
type ForgeName string

// The forges.
const (
	GitHub          ForgeName = "github"
	GitLab          ForgeName = "gitlab"
	Gitea           ForgeName = "gitea"
	Forgejo         ForgeName = "forgejo"
	Bitbucket       ForgeName = "bitbucket"        // Cloud
	BitbucketServer ForgeName = "bitbucket-server" // Data Center
)

var forges = words([]ForgeName{GitHub, GitLab, Gitea, Forgejo, Bitbucket, BitbucketServer})

// publicForges are told by their hosts.
var publicForges = map[string]ForgeName{
	"github.com": GitHub, "gitlab.com": GitLab, "bitbucket.org": Bitbucket, "codeberg.org": Forgejo, "gitea.com": Gitea,
}

// longestContext is what Bitbucket Cloud takes as the key of a build.
const longestContext = 40

// UnmarshalDocument takes one of the words.
func (f *ForgeName) UnmarshalDocument(n document.Node) error {
	text, _ := n.Scalar()
	if !slices.Contains(forges, text) {
		n.Problem(fmt.Sprintf("no forge %q shows statuses", text), document.Suggest(text, forges))
	}
	*f = ForgeName(text)
	return nil
}

// fillIn sets what follows from where the app's repository is.
func (s *Status) fillIn(a App) {
	host, home, place := placeOf(a.Repository)
	if home != "" {
		s.Forge = cmp.Or(s.Forge, publicForges[host])
	}
	if s.URL == "" && s.Forge == BitbucketServer { // which clones over https below scm, and may be below a path itself
		if below, inside, ok := strings.Cut(place, "/scm/"); ok {
			home, place = home+below, inside
		}
	}
	s.URL = strings.TrimSuffix(cmp.Or(s.URL, home), "/")
	if u, err := url.Parse(s.URL); err == nil {
		place = strings.TrimPrefix(place, strings.TrimSuffix(u.Path, "/"))
	}
	place = strings.Trim(place, "/")
	if s.Forge == BitbucketServer {
		place = strings.TrimPrefix(place, "scm/")
	}
	s.Repository = cmp.Or(s.Repository, place)
	s.Context = cmp.Or(s.Context, "batuta")
	if s.Token.IsZero() {
		s.Token = a.Credentials.Token
	}
}

// placeOf is where a repository's URL says that it is: the forge's host, its
// URL, and the path there. All are empty if it is on no forge.
func placeOf(repository string) (host, home, place string) {
	if scpForm.MatchString(repository) {
		_, rest, _ := strings.Cut(repository, "@")
		host, place, _ = strings.Cut(rest, ":")
		return host, "https://" + host, strings.TrimSuffix(path.Join("/", place), ".git")
	}
	u, err := url.Parse(repository)
	if err != nil || u.Host == "" {
		return "", "", ""
	}
	home = u.Scheme + "://" + u.Host
	if u.Scheme == "ssh" {
		home = "https://" + u.Hostname()
	}
	return u.Hostname(), home, strings.TrimSuffix(path.Join("/", u.Path), ".git")
}

func (k check) status(at document.Path, a App) {
	s := a.Status
	if s == nil {
		return
	}
	at = at.At("status")
	if s.Forge == "" {
		k.missing(at, "forge", strings.Join(forges, ", "))
	}
	if u, err := url.Parse(s.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		k.d.Problem(at.At("url"), fmt.Sprintf("%q is not a forge's URL", s.URL), "write https://host, as people open it")
	}
	if owner, name := path.Split(s.Repository); owner == "" || name == "" || path.Clean(s.Repository) != s.Repository || path.IsAbs(s.Repository) {
		k.d.Problem(at.At("repository"), fmt.Sprintf("%q is not a repository of a forge", s.Repository), "write owner/name")
	}
	if s.Token.IsZero() {
		k.missing(at, "token", "{env: NAME} or {file: PATH}")
	}
	if s.User != "" && s.Forge != Bitbucket && s.Forge != BitbucketServer {
		k.d.Problem(at.At("user"), "only Bitbucket takes a user with a token", "remove it")
	}
	if len(s.Context) > longestContext {
		k.d.Problem(at.At("context"), fmt.Sprintf("it has %d bytes, more than %d", len(s.Context), longestContext), "")
	}
}

// sameStatus tells of apps that would overwrite each other's statuses.
func (k check) sameStatus(at document.Path, name batuta.AppName, s Status, seen map[Status]batuta.AppName) {
	s.Token, s.User = Secret{}, ""
	if other, again := seen[s]; again {
		k.d.Problem(at.At("status", "context"), fmt.Sprintf("%s shows its statuses at the same commits as %s", name, other), "give one of them a context of its own: batuta/"+string(name))
	}
	seen[s] = name
}
