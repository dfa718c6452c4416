package registry

import (
	"context"
	"net/http"
	"regexp"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	v2 "github.com/distribution/distribution/v3/registry/api/v2"
	"github.com/gorilla/mux"
)

// Access is what a request wants to do.
type Access struct {
	Repository string // path without the host: portal/web; empty to only be recognised (docker login)
	Push       bool   // write or delete, rather than read
	Referrers  bool   // with Push: the list of what refers to an image, such as its signatures, or what to delete of it
}

// denial says that the access is denied. Words of its own matter: Docker
// shows them, and goes on trying for a minute when it gets none.
func (a Access) denial() string {
	if a.Push && a.Referrers {
		return "only the server writes what signs the images of " + a.Repository
	}
	if a.Push {
		return "this token may not push to " + a.Repository
	}
	return "this token may not pull from " + a.Repository
}

// Decision is the answer to a request for access.
type Decision int

// The decisions.
const (
	Unknown Decision = iota // no such token: the client is asked for one (401)
	Denied                  // the token is good, but not for this (403)
	Granted
)

// Authorize decides whether the bearer of a password may have an access. The
// password is a token; Docker makes its users give a user name too, which may
// be anything. It compares in constant time, and is called concurrently.
type Authorize func(ctx context.Context, user, password string, access Access) Decision

// guard lets through to next what authorize grants. It finds the repository
// with a router of distribution's own making, so that what was authorized and
// what is served can never be two different things. refers tells which
// manifests refer to an image, or list those that do.
func guard(authorize Authorize, refers func(ctx context.Context, repository, digest string) bool, next http.Handler) http.Handler {
	g := gate{authorize: authorize, refers: refers, next: next}
	router := v2.RouterWithPrefix("")
	router.GetRoute(v2.RouteNameBase).HandlerFunc(g.read)
	router.GetRoute(v2.RouteNameTags).HandlerFunc(g.read)
	router.GetRoute(v2.RouteNameManifest).HandlerFunc(g.readOrWrite)
	router.GetRoute(v2.RouteNameBlob).HandlerFunc(g.readOrWrite)
	router.GetRoute(v2.RouteNameBlobUpload).HandlerFunc(g.upload)
	router.GetRoute(v2.RouteNameBlobUploadChunk).HandlerFunc(g.write)
	router.GetRoute(v2.RouteNameCatalog).HandlerFunc(g.catalog)
	return router
}

// gate stands before a handler. The repository of a request is in its routing
// variables.
type gate struct {
	authorize Authorize
	refers    func(ctx context.Context, repository, digest string) bool
	next      http.Handler
}

func (g gate) read(w http.ResponseWriter, r *http.Request) { g.pass(w, r, false) }

func (g gate) write(w http.ResponseWriter, r *http.Request) { g.pass(w, r, true) }

func (g gate) readOrWrite(w http.ResponseWriter, r *http.Request) {
	g.pass(w, r, r.Method != http.MethodGet && r.Method != http.MethodHead)
}

// upload begins an upload, or mounts a blob that another repository has. A
// blob of a repository that the token may not read is as if it were not there:
// the client is left to upload it.
func (g gate) upload(w http.ResponseWriter, r *http.Request) {
	if from := r.FormValue("from"); from != "" && g.decide(r, Access{Repository: from}) != Granted {
		r.Form.Del("from")
		r.Form.Del("mount")
	}
	g.write(w, r)
}

// catalog is not offered: a list of every repository is for no token that goes
// out to a ship or a builder.
func (g gate) catalog(w http.ResponseWriter, _ *http.Request) {
	refuse(w, errcode.ErrorCodeUnsupported)
}

// referrersTag is the tag of a list of referrers, by the distribution
// specification 1.1.
var referrersTag = regexp.MustCompile(`^sha256-[0-9a-f]{64}$`)

func (g gate) pass(w http.ResponseWriter, r *http.Request, push bool) {
	name, reference := mux.Vars(r)["name"], mux.Vars(r)["reference"]
	access := Access{Repository: name, Push: push, Referrers: referrersTag.MatchString(reference)}
	if r.Method == http.MethodDelete {
		blob := mux.Vars(r)["digest"] // nobody but the server has a use for that, and it may be a signature's
		access.Referrers = access.Referrers || blob != "" || reference != "" && g.refers(r.Context(), name, reference)
	}
	switch g.decide(r, access) {
	case Granted:
		g.next.ServeHTTP(w, r)
	case Denied:
		refuse(w, errcode.ErrorCodeDenied.WithMessage(access.denial()))
	default:
		w.Header().Set("WWW-Authenticate", `Basic realm="batuta"`)
		refuse(w, errcode.ErrorCodeUnauthorized)
	}
}

func (g gate) decide(r *http.Request, access Access) Decision {
	user, password, ok := r.BasicAuth()
	if !ok || password == "" {
		return Unknown
	}
	return g.authorize(r.Context(), user, password, access)
}

// refuse answers as the registry itself would: the version header is how older
// clients know that they speak to a registry at all.
func refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	_ = errcode.ServeJSON(w, err) // the client is gone; there is no one to tell
}
