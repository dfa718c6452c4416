package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"batuta/internal/config"
)

// TestWhereStatusesGo derives from a repository's URL what need not be said.
func TestWhereStatusesGo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ repository, status, want string }{
		{"https://github.com/team/portal.git", "{}", "github https://github.com team/portal batuta a-token-of-the-app"},
		{"git@github.com:team/portal.git", "{token: t}", "github https://github.com team/portal batuta t"},
		{"https://gitlab.com/team/web/portal", "{context: ci/batuta}", "gitlab https://gitlab.com team/web/portal ci/batuta a-token-of-the-app"},
		{"https://codeberg.org/team/portal.git", "{token: t}", "forgejo https://codeberg.org team/portal batuta t"},
		{"https://git.example.edu:3000/team/portal.git", "{forge: gitea}", "gitea https://git.example.edu:3000 team/portal batuta a-token-of-the-app"},
		{"https://git.example.edu/gitea/team/portal.git", "{forge: gitea, url: \"https://git.example.edu/gitea/\"}", "gitea https://git.example.edu/gitea team/portal batuta a-token-of-the-app"},
		{"ssh://git@git.example.edu:2222/team/portal.git", "{forge: gitlab, token: t}", "gitlab https://git.example.edu team/portal batuta t"},
		{"https://bitbucket.org/team/portal.git", "{user: ana, token: t}", "bitbucket https://bitbucket.org team/portal batuta t"},
		{"https://bb.example.edu/scm/WEB/portal.git", "{forge: bitbucket-server}", "bitbucket-server https://bb.example.edu WEB/portal batuta a-token-of-the-app"},
		{"https://example.edu/bb/scm/~ana/portal.git", "{forge: bitbucket-server}", "bitbucket-server https://example.edu/bb ~ana/portal batuta a-token-of-the-app"},
		{"https://mirror.example.edu/x.git", "{forge: github, url: \"https://ghe.example.edu\", repository: team/portal}", "github https://ghe.example.edu team/portal batuta a-token-of-the-app"},
	} {
		credentials := "credentials: {token: a-token-of-the-app}, "
		if !strings.HasPrefix(c.repository, "https") || strings.Contains(c.status, "user") {
			credentials = ""
		}
		text := fmt.Sprintf("ships: {a: {endpoint: unix:///run/docker.sock}}\napps: {portal: {repository: %q, %sstatus: %s}}\n", c.repository, credentials, c.status)
		read, err := config.Parse("server.yml", []byte(text))
		if err != nil {
			t.Errorf("%s %s: %v", c.repository, c.status, err)
			continue
		}
		s := read.Apps["portal"].Status
		if diff := cmp.Diff(c.want, fmt.Sprint(s.Forge, " ", s.URL, " ", s.Repository, " ", s.Context, " ", s.Token.Reveal())); diff != "" {
			t.Errorf("%s %s:\n%s", c.repository, c.status, diff)
		}
	}
}

// TestStatusesThatCannotBe tells what is missing, and where.
func TestStatusesThatCannotBe(t *testing.T) {
	t.Parallel()
	const text = `ships: {a: {endpoint: unix:///run/docker.sock}}
apps:
  own: {status: {forge: gitea, token: t}}
  far: {repository: "https://git.example.edu/portal.git", status: {forge: githib, user: ana}}
  one: {repository: "https://git.example.edu/team/mono.git", status: {forge: gitea, token: t, context: "a-context-that-is-far-too-long-for-a-forge"}}
  two: {repository: "https://git.example.edu/team/both.git", status: {forge: gitea, token: t}}
  you: {repository: "https://git.example.edu/team/both.git", status: {forge: gitea, token: u}}
  zoo: {repository: "https://git.example.edu/team/zoo.git", status: {token: t}}
`
	_, err := config.Parse("server.yml", []byte(text))
	want := `server.yml:3:17: apps.own.status.repository: "" is not a repository of a forge (write owner/name)
server.yml:3:17: apps.own.status.url: "" is not a forge's URL (write https://host, as people open it)
server.yml:4:67: apps.far.status.repository: "portal" is not a repository of a forge (write owner/name)
server.yml:4:67: apps.far.status.token: missing (write token: {env: NAME} or {file: PATH})
server.yml:4:75: apps.far.status.forge: no forge "githib" shows statuses (did you mean "github"?)
server.yml:4:89: apps.far.status.user: only Bitbucket takes a user with a token (remove it)
server.yml:5:104: apps.one.status.context: it has 42 bytes, more than 40
server.yml:7:70: apps.you.status.context: you shows its statuses at the same commits as two (give one of them a context of its own: batuta/you)
server.yml:8:69: apps.zoo.status.forge: missing (write forge: github, gitlab, gitea, forgejo, bitbucket, bitbucket-server)`
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}
