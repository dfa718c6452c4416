package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"batuta"
	"batuta/internal/config"
	"batuta/internal/gitremote"
	"batuta/internal/registry"
	"batuta/internal/store"
)

// robots is the tokens of the server's own parts for its own registry. They
// live as long as the process.
type robots struct {
	ship string // pulls everything, for what was resolved and checked before
	sign string // pulls everything, and alone writes what signs it
	key  []byte // makes the tokens of the apps' builds
}

func newRobots() robots {
	return robots{ship: rand.Text(), sign: rand.Text(), key: []byte(rand.Text())}
}

// build is the token of an app's builds: it pulls and pushes the app's images,
// and pulls those of the apps that it may be built from.
func (r robots) build(app batuta.AppName) string {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(app))
	return string(app) + "." + hex.EncodeToString(mac.Sum(nil))
}

// builds tells which app's builds have a token.
func (r robots) builds(token string) (batuta.AppName, bool) {
	name, _, _ := strings.Cut(token, ".")
	return batuta.AppName(name), same(token, r.build(batuta.AppName(name)))
}

// robotName is the user that the server's own parts give to its registry.
const robotName = "batuta"

// login is what one of the server's own parts tells a registry.
func (s *server) login(host, robot string) (user, password string, ok bool) {
	if o := s.config.Registry.Outside; o != nil {
		return o.User, o.Password.Reveal(), host == o.Address && !o.Password.IsZero()
	}
	return robotName, robot, host == s.config.Registry.Address
}

// mayUseRegistry decides for the embedded registry: the server's own parts by
// their tokens, people by theirs and the app that a repository begins with.
func (s *server) mayUseRegistry(_ context.Context, _, password string, a registry.Access) registry.Decision {
	app, _, _ := strings.Cut(a.Repository, "/")
	if same(password, s.robots.ship) {
		return granted(!a.Push)
	}
	if sign := same(password, s.robots.sign); sign || a.Push && a.Referrers {
		return granted(sign)
	}
	if own, ok := s.robots.builds(password); ok {
		base := !a.Push && slices.Contains(s.config.Apps[own].Bases, batuta.AppName(app))
		return granted(a.Repository == "" || string(own) == app || base)
	}
	who, ok := s.gate.Identify(password)
	if !ok {
		return registry.Unknown
	}
	right := config.Read
	if a.Push {
		right = config.Push
	}
	return granted(who.Can(right, batuta.AppName(app)))
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func granted(ok bool) registry.Decision {
	if ok {
		return registry.Granted
	}
	return registry.Denied
}

// remoteAccess decides for the embedded Git remote.
type remoteAccess struct{ *server }

// Authorize admits those with the right to push, or to read, the app.
func (r remoteAccess) Authorize(_ context.Context, app batuta.AppName, token string, push bool) (string, bool) {
	known, exists := r.config.Apps[app]
	who, ok := r.gate.Identify(token)
	right := config.Read
	if push {
		right = config.Push
	}
	return who.Name, ok && exists && known.Repository == "" && who.Can(right, app)
}

// remoteInbox keeps what is pushed to the embedded Git remote, and sets it
// going.
type remoteInbox struct {
	*store.DB
	wake func()
}

var _ gitremote.Inbox = remoteInbox{}

// DeliverRef records a push and sets its run going.
func (r remoteInbox) DeliverRef(ctx context.Context, p batuta.Push, serial int) (batuta.RunID, error) {
	p.Message = batuta.Headline(p.Message)
	run, err := r.DB.DeliverRef(ctx, p, serial)
	if err == nil {
		r.wake()
	}
	return run, err
}

// doorman admits people to the dashboard.
type doorman struct{ *server }

// Admit tells whose token it is and at which apps that person may look.
func (d doorman) Admit(token string) (string, func(batuta.AppName) bool, bool) {
	who, ok := d.gate.Identify(token)
	return who.Name, func(app batuta.AppName) bool { return who.Can(config.Read, app) }, ok
}

// runURL is where a person sees a run.
func (s *server) runURL(id batuta.RunID) string { return fmt.Sprintf("%s/runs/%d", s.config.URL, id) }
