package gitremote

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"batuta"
)

const (
	uploadPack  = "git-upload-pack"  // a fetch
	receivePack = "git-receive-pack" // a push

	maxFetchRequest = 16 << 20         // what a client asks for in a fetch
	maxHeld         = 1 << 20          // of a push's answer, kept back until it is recorded
	recordTime      = 30 * time.Second // to record a push whose client has gone
)

// call is one request of the smart HTTP protocol, see gitprotocol-http(5).
type call struct {
	app       batuta.AppName
	service   string // uploadPack or receivePack
	advertise bool   // the list of refs that a conversation begins with
	person    string // who asks
}

// pathInfo is what http-backend is told.
func (c call) pathInfo() string {
	if c.advertise {
		return "/" + string(c.app) + ".git/info/refs"
	}
	return "/" + string(c.app) + ".git/" + c.service
}

// ServeHTTP answers a git client at /git/{app}.git. An app that does not
// exist and a wrong token get the same answer.
func (r *Remote) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	c, ok := readCall(req)
	if !ok {
		http.Error(w, "a Git remote for git clients: git push "+publicURL(req)+" main", http.StatusNotFound)
		return
	}
	if c.person, ok = r.authorize(req, c); !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="batuta", charset="UTF-8"`)
		http.Error(w, "no such app, or not with this token", http.StatusUnauthorized)
		return
	}
	repo := r.repository(c.app)
	if err := repo.ensure(req.Context()); err != nil {
		r.config.Log.ErrorContext(req.Context(), "git remote", "app", c.app, "error", err)
		http.Error(w, "the repository could not be made", http.StatusInternalServerError)
		return
	}
	if c.service == receivePack && !c.advertise {
		r.servePush(w, req, repo, c)
		return
	}
	req.Body = http.MaxBytesReader(w, req.Body, maxFetchRequest)
	if err := r.runBackend(w, req, c, nil); err != nil && req.Context().Err() == nil {
		r.config.Log.WarnContext(req.Context(), "git fetch", "app", c.app, "person", c.person, "error", err)
	}
}

// servePush lets git take the push, records what changed, and only then
// answers, with the runs that came of it. A push that could not be recorded
// is in the repository all the same, and Reconcile will find it there.
func (r *Remote) servePush(w http.ResponseWriter, req *http.Request, repo *repository, c call) {
	const packSlack = 1 << 20 // git's own limit answers first, and nicer
	req.Body = http.MaxBytesReader(w, req.Body, r.config.MaxBytes+packSlack)
	lock, err := repo.begin()
	if err != nil {
		r.config.Log.ErrorContext(req.Context(), "git push", "app", c.app, "error", err)
		http.Error(w, "the repository could not be locked", http.StatusInternalServerError)
		return
	}
	defer lock.Close()

	answer := &heldResponse{w: w, limit: maxHeld}
	if err := r.runBackend(answer, req, c, lock); err != nil {
		r.config.Log.WarnContext(req.Context(), "git push", "app", c.app, "person", c.person, "error", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), recordTime)
	defer cancel()
	runs, err := repo.reconcile(ctx)
	if err != nil {
		r.config.Log.ErrorContext(ctx, "record push", "app", c.app, "person", c.person, "error", err)
	}
	answer.release(func(accepted []string) []string { return r.tell(accepted, runs, err) })
}

// tell is what the pusher reads about the refs that git accepted.
func (r *Remote) tell(accepted []string, runs map[string]delivered, failed error) []string {
	var lines []string
	for _, ref := range accepted {
		short := strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
		d, known := runs[ref]
		switch {
		case !known && failed != nil:
			lines = append(lines, fmt.Sprintf("batuta: %s is stored, but its run could not be queued yet; it will be picked up", short))
		case !known || d.revision == "":
			continue // a deleted ref, or one that nothing follows from
		case d.run == 0:
			lines = append(lines, fmt.Sprintf("batuta: %s is stored; no run follows from it", short))
		default:
			lines = append(lines, fmt.Sprintf("batuta: run %d queued for %s", d.run, short))
			if r.config.RunURL != nil {
				lines = append(lines, "batuta: "+r.config.RunURL(d.run))
			}
		}
	}
	return lines
}

// authorize looks for the token where git clients put it: in the password, in
// the user name (http://token@host/), or in a bearer header.
func (r *Remote) authorize(req *http.Request, c call) (person string, ok bool) {
	var tokens []string
	if user, password, basic := req.BasicAuth(); basic {
		tokens = []string{password, user}
	} else if bearer, found := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); found {
		tokens = []string{bearer}
	}
	for _, token := range tokens {
		if token == "" {
			continue
		}
		if person, ok = r.config.Access.Authorize(req.Context(), c.app, token, c.service == receivePack); ok {
			return person, true
		}
	}
	return "", false
}

// readCall reads the three requests there are, and no others.
func readCall(req *http.Request) (c call, ok bool) {
	rest, ok := strings.CutPrefix(req.URL.Path, "/git/")
	if !ok {
		return call{}, false
	}
	app, act, ok := strings.Cut(rest, ".git/")
	if !ok || batuta.CheckLabel(app) != nil {
		return call{}, false
	}
	c.app = batuta.AppName(app)
	switch {
	case req.Method == http.MethodGet && act == "info/refs":
		c.service, c.advertise = req.URL.Query().Get("service"), true
	case req.Method == http.MethodPost:
		c.service = act
	}
	return c, c.service == uploadPack || c.service == receivePack
}

// publicURL is the request's address as the client wrote it, cut at .git.
func publicURL(req *http.Request) string {
	app, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/git/"), ".git")
	if batuta.CheckLabel(app) != nil {
		app = "APP"
	}
	return "http://TOKEN@" + req.Host + "/git/" + app + ".git"
}
