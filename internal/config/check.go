package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"batuta"
	"batuta/internal/document"
)

// Looking at the environments more often is only load, and more rarely is late.
const (
	leastEvery = 5 * time.Second
	mostEvery  = time.Hour
	leastPoll  = 10 * time.Second
	leastKeep  = time.Hour
	leastBases = time.Minute
)

// check finds what the form of the file cannot show.
type check struct {
	c *Config
	d *document.Document
}

func (k check) all() {
	k.server()
	k.registry()
	k.ships()
	statuses := map[Status]batuta.AppName{}
	for _, name := range slices.Sorted(maps.Keys(k.c.Apps)) {
		a := k.c.Apps[name]
		k.app(name, a)
		if a.Status != nil {
			k.sameStatus(document.Path{"apps", string(name)}, name, *a.Status, statuses)
		}
	}
	k.people()
	k.listeners()
}

func (k check) server() {
	k.hostPort(document.Path{"listen"}, k.c.Listen, "write host:port, as in 127.0.0.1:8480")
	if everywhere(k.c.Listen) && k.c.URL == "http://"+k.c.Listen {
		k.d.Problem(document.Path{"listen"}, "the server listens on every address, so nobody knows how to reach it", "write url: too, as in http://batuta.example.edu:8480")
	} else if u, err := url.Parse(k.c.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		k.d.Problem(document.Path{"url"}, fmt.Sprintf("%q is not the server's URL", k.c.URL), "write https://host or http://host:port")
	}
	k.c.URL = strings.TrimSuffix(k.c.URL, "/")
	if !filepath.IsAbs(k.c.Data) {
		k.d.Problem(document.Path{"data"}, fmt.Sprintf("%q is not absolute", k.c.Data), "begin it with /")
	}
	k.builders()
	k.atLeast(document.Path{"runs", "at_once"}, k.c.Runs.AtOnce, 1)
	k.atLeast(document.Path{"runs", "retries"}, k.c.Runs.Retries, 0)
	k.atLeast(document.Path{"history", "events"}, k.c.History.Events, 1)
	k.atLeast(document.Path{"keep", "releases"}, k.c.Keep.Releases, 1)
	if keep := k.c.Keep.Deliveries; keep < leastKeep {
		k.d.Problem(document.Path{"keep", "deliveries"}, fmt.Sprintf("%s is less than %s", keep, leastKeep), "write 720h for 30 days")
	}
	if keep := k.c.Keep.Logs; keep < leastKeep {
		k.d.Problem(document.Path{"keep", "logs"}, fmt.Sprintf("%s is less than %s", keep, leastKeep), "write 2160h for 90 days")
	}
	k.tests()
	if every := k.c.Bases.Every; every != 0 && every < leastBases {
		k.d.Problem(document.Path{"bases", "every"}, fmt.Sprintf("%s is less than %s", every, leastBases), "write 6h, or 0 for never")
	}
	if every := k.c.Reconcile.Every; every != 0 && (every < leastEvery || every > mostEvery) {
		k.d.Problem(document.Path{"reconcile", "every"}, fmt.Sprintf("%s is not between %s and %s", every, leastEvery, mostEvery), "write 1m, or 0 for never")
	}
}

func (k check) tests() {
	k.atLeast(document.Path{"test", "at_once"}, k.c.Test.AtOnce, 1)
	known := slices.Sorted(maps.Keys(k.c.Ships))
	if name := k.c.Test.Ship; name != "" && !slices.Contains(known, name) {
		k.d.Problem(document.Path{"test", "ship"}, fmt.Sprintf("no ship %q", name), document.Suggest(string(name), words(known)))
	}
	if k.c.Keep.Artifacts < leastKeep {
		k.d.Problem(document.Path{"keep", "artifacts"}, fmt.Sprintf("%s is less than %s", k.c.Keep.Artifacts, leastKeep), "write 720h for 30 days")
	}
}

func (k check) registry() {
	at, r := document.Path{"registry"}, k.c.Registry
	if r.Outside == nil {
		k.hostPort(at.At("address"), r.Address, "write host:port, as ships reach it")
		return
	}
	if r.Address != "" {
		k.d.Problem(at.At("address"), "this is the embedded registry's address, but outside: names another registry", "keep one of the two")
	}
	at = at.At("outside")
	if o := r.Outside; o.Address == "" || strings.ContainsAny(o.Address, "/ ") {
		k.d.Problem(at.At("address"), fmt.Sprintf("%q is not a registry's address", o.Address), "write host or host:port; what follows the host goes into prefix")
	}
	if p := r.Outside.Prefix; p != strings.Trim(p, "/") || p != strings.ToLower(p) {
		k.d.Problem(at.At("prefix"), fmt.Sprintf("%q is not a repository path", p), "write it in lower case, without slashes at its ends")
	}
	if (r.Outside.User == "") != r.Outside.Password.IsZero() {
		k.d.Problem(at, "user and password belong together", "write both or neither")
	}
}

func (k check) app(name batuta.AppName, a App) {
	at := document.Path{"apps", string(name)}
	k.try(at, batuta.CheckLabel(string(name)))
	k.repository(at, a)
	for i, s := range a.WebhookSecrets {
		k.strong(at.At("webhook_secrets", strconv.Itoa(i)), s)
	}
	for _, env := range slices.Sorted(maps.Keys(a.Environments)) {
		k.try(at.At("environments", string(env)), batuta.CheckLabel(string(env)))
		k.reach(at.At("environments", string(env), "ships"), a.Environments[env].Ships)
	}
	k.stages(at, a)
	for i, p := range a.Allow.Paths {
		if !path.IsAbs(p) || path.Clean(p) != p {
			k.d.Problem(at.At("allow", "paths", strconv.Itoa(i)), fmt.Sprintf("%q is not an absolute directory", p), "write it from /, without .. and without a slash at its end")
		}
	}
	for i, p := range a.Allow.Privileges {
		k.try(at.At("allow", "privileges", strconv.Itoa(i)), batuta.CheckPrivilege(string(p)))
	}
	if a.Poll != 0 && a.Poll < leastPoll {
		k.d.Problem(at.At("poll"), fmt.Sprintf("%s is less than %s", a.Poll, leastPoll), "write 2m")
	} else if a.Poll != 0 && a.Repository == "" {
		k.d.Problem(at.At("poll"), "the embedded Git remote tells by itself what is pushed to it", "remove it")
	}
	for i, other := range a.Includes {
		if _, known := k.c.Apps[other]; !known {
			k.d.Problem(at.At("includes", strconv.Itoa(i)), fmt.Sprintf("no app %q", other), document.Suggest(string(other), words(slices.Sorted(maps.Keys(k.c.Apps)))))
		}
	}
	for i, other := range a.Bases {
		if _, known := k.c.Apps[other]; !known {
			k.d.Problem(at.At("bases", strconv.Itoa(i)), fmt.Sprintf("no app %q", other), document.Suggest(string(other), words(slices.Sorted(maps.Keys(k.c.Apps)))))
		}
	}
	if a.Keep != nil {
		k.atLeast(at.At("keep", "releases"), a.Keep.Releases, 1)
	}
	k.status(at, a)
	for _, key := range slices.Sorted(maps.Keys(a.Secrets)) {
		k.try(at.At("secrets", key), batuta.CheckName(key))
	}
}

// scpForm is Git's short form of an SSH address: git@host:path.
var scpForm = regexp.MustCompile(`^[^/:@ ]+@[^/:@ ]+:[^ ]+$`)

func (k check) repository(at document.Path, a App) {
	c := a.Credentials
	u, err := url.Parse(a.Repository)
	scp := scpForm.MatchString(a.Repository)
	switch {
	case a.Repository == "" && c != (Credentials{}):
		k.d.Problem(at.At("credentials"), "the embedded Git remote needs no credentials", "remove them, or name the repository that they open")
	case a.Repository != "" && !scp && (err != nil || !slices.Contains([]string{"https", "http", "ssh"}, u.Scheme) || u.Path == ""):
		k.d.Problem(at.At("repository"), fmt.Sprintf("%q is not a repository's URL", a.Repository), "write https://host/path.git or ssh://git@host/path.git")
		return
	case !scp && u.User != nil && u.Scheme != "ssh":
		k.d.Problem(at.At("repository"), "the URL holds credentials", "move them to credentials: {user: …, password: {env: …}}")
	}
	ssh := scp || err == nil && u.Scheme == "ssh"
	k.credentials(at.At("credentials"), c, ssh)
}

func (k check) credentials(at document.Path, c Credentials, ssh bool) {
	ways := 0
	for _, used := range []bool{!c.Token.IsZero(), c.User != "" || !c.Password.IsZero(), !c.SSHKey.IsZero() || !c.KnownHosts.IsZero()} {
		if used {
			ways++
		}
	}
	const hint = "write {token}, {user, password} or {ssh_key, known_hosts}"
	switch {
	case ways == 0:
	case ways > 1:
		k.d.Problem(at, "there is more than one way in", hint)
	case (c.User == "") != c.Password.IsZero():
		k.d.Problem(at, "user and password belong together", hint)
	case c.SSHKey.IsZero() != c.KnownHosts.IsZero():
		k.d.Problem(at, "ssh_key and known_hosts belong together", "fill known_hosts with ssh-keyscan, and compare it with what the forge publishes")
	case ssh == c.SSHKey.IsZero():
		k.d.Problem(at, "these credentials do not fit the repository's URL", "ssh_key is for ssh://, the others for https://")
	}
}

// reach tells of ships that do not exist, and of labels that no ship has.
func (k check) reach(at document.Path, r Reach) {
	known := slices.Sorted(maps.Keys(k.c.Ships))
	for i, name := range r.Names {
		if !slices.Contains(known, name) {
			k.d.Problem(at.At(strconv.Itoa(i)), fmt.Sprintf("no ship %q", name), document.Suggest(string(name), words(known)))
		}
	}
	if len(r.Labels) > 0 && len(r.of(k.c.Ships)) == 0 {
		k.d.Problem(at, "no ship has these labels", "")
	}
}

func (k check) people() {
	owner := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(k.c.People)) {
		at, p := document.Path{"people", name}, k.c.People[name]
		k.try(at, batuta.CheckName(name))
		if p.May == "" {
			k.missing(at, "may", "read, push, deploy or admin")
		}
		for i, app := range p.Apps {
			k.knownApp(at.At("apps", strconv.Itoa(i)), app)
		}
		token := p.Token.Reveal()
		switch other, again := owner[token]; {
		case p.Token.IsZero():
			k.missing(at, "token", "{env: NAME} or {file: PATH}")
		case again && token != "":
			k.d.Problem(at.At("token"), fmt.Sprintf("%s has the same token", other), "make one for each: openssl rand -hex 20")
		default:
			owner[token] = name
			k.strong(at.At("token"), p.Token)
		}
	}
}

func words[T ~string](names []T) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return out
}

// strong refuses what can be guessed. An empty one was reported when it was
// read.
func (k check) strong(at document.Path, s Secret) {
	if n := len(s.Reveal()); n > 0 && n < MinTokenLength {
		k.d.Problem(at, fmt.Sprintf("the secret has %d characters, fewer than %d", n, MinTokenLength), "make one with: openssl rand -hex 20")
	}
}

func (k check) missing(at document.Path, key, form string) {
	k.d.Problem(at.At(key), "missing", "write "+key+": "+form)
}

func (k check) atLeast(at document.Path, n, least int) {
	if n < least {
		k.d.Problem(at, fmt.Sprintf("%d is less than %d", n, least), "")
	}
}

func (k check) hostPort(at document.Path, address, hint string) {
	_, port, err := net.SplitHostPort(address)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		k.d.Problem(at, fmt.Sprintf("%q is not host:port", address), hint)
	}
}

func (k check) endpoint(at document.Path, endpoint string, schemes ...string) {
	u, err := url.Parse(endpoint)
	switch {
	case endpoint == "":
		k.d.Problem(at, "missing", "write unix:///var/run/docker.sock, tcp://host:2376 or ssh://user@host")
	case err == nil && u.Scheme == "ssh" && slices.Contains(schemes, "ssh") && u.Hostname() == "":
		k.d.Problem(at, fmt.Sprintf("%q has no host", endpoint), "write ssh://user@host")
	case err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" && u.Path == "":
		k.d.Problem(at, fmt.Sprintf("%q is not an address", endpoint), "begin it with "+strings.Join(schemes, "://, ")+"://")
	case strings.HasSuffix(u.Scheme, "unix") && (u.Host != "" || !path.IsAbs(u.Path)):
		k.d.Problem(at, fmt.Sprintf("%q does not name a socket", endpoint), "write three slashes: unix:///var/run/docker.sock")
	case strings.HasSuffix(u.Scheme, "tcp") && u.Port() == "":
		k.d.Problem(at, fmt.Sprintf("%q has no port", endpoint), "Docker's is 2375, buildkitd's 1234")
	}
}

// try turns an error of the vocabulary into a problem.
func (k check) try(at document.Path, err error) {
	if e, ok := errors.AsType[*batuta.Error](err); ok {
		k.d.Problem(at, e.Message, e.Hint)
	}
}
