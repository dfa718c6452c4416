// Package web is the dashboard: pages for people who look. It shows the apps,
// what runs where, the runs and what was delivered; it changes nothing. Whoever wants to act uses
// the command or the API.
package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"

	"batuta"
	"batuta/pipeline"
)

// What the pages show. The dashboard itself leaves out what a viewer may not
// see.
type (
	// Reader answers about all apps.
	Reader interface {
		// Status is every environment of an app, or of all if app is empty.
		// It may take as long as the slowest ship.
		Status(ctx context.Context, app batuta.AppName) ([]pipeline.EnvironmentStatus, error)
		// Runs lists the newest first, without their steps.
		Runs(ctx context.Context, limit int) ([]batuta.Run, error)
		Run(ctx context.Context, id batuta.RunID) (batuta.Run, error)
		// Deliveries lists those of an app, newest first, without payloads.
		Deliveries(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Delivery, error)
	}

	// Logs gives the log of a run as it is now.
	Logs interface {
		Log(ctx context.Context, id batuta.RunID, w io.Writer) error
	}

	// Doorman tells whose token it is, and at which apps that person may look.
	Doorman interface {
		Admit(token string) (name string, may func(batuta.AppName) bool, ok bool)
	}
)

// Config is what the dashboard is made of.
type Config struct {
	Reader    Reader
	Harbour   Harbour
	Logs      Logs
	Doorman   Doorman
	Anonymous bool // show everything without signing in
	Version   string
	Log       *slog.Logger
}

//go:embed pages
var files embed.FS

// Dashboard serves the pages.
type Dashboard struct {
	Config
	mux      *http.ServeMux
	pages    *template.Template
	sessions sessions
	status   latest
}

// New makes the dashboard, to be mounted at the root of the server's port, and
// to be closed when nothing is served any more.
func New(c Config) (*Dashboard, error) {
	pages, err := template.New("").Funcs(words).ParseFS(files, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the dashboard's pages: %w", err)
	}
	d := &Dashboard{Config: c, mux: http.NewServeMux(), pages: pages}
	d.status.ask = func(ctx context.Context) ([]pipeline.EnvironmentStatus, error) { return c.Reader.Status(ctx, "") }
	d.mux.Handle("GET /{$}", d.signedIn(d.front))
	d.mux.Handle("GET /runs/{id}", d.signedIn(d.run))
	d.mux.Handle("GET /apps/{app}/deliveries", d.signedIn(d.deliveries))
	d.mux.Handle("GET /ships", d.signedIn(d.ships))
	d.mux.HandleFunc("GET /style.css", asset("style.css", "text/css; charset=utf-8"))
	d.mux.HandleFunc("GET /icon.svg", asset("icon.svg", "image/svg+xml"))
	d.mux.HandleFunc("GET /login", d.door)
	d.mux.HandleFunc("POST /login", d.login)
	d.mux.HandleFunc("POST /logout", d.logout)
	d.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { d.fail(w, r, batuta.NotFound) })
	return d, nil
}

// Close ends the question to the ships that may be under way. Its error is
// always nil.
func (d *Dashboard) Close() error {
	d.status.close()
	return nil
}

// policy lets a page load this server's style and icon, send this server's
// forms, and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP serves a page, with headers that keep the browser to it.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	d.mux.ServeHTTP(w, r)
}

// asset serves an embedded file.
func asset(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		content, _ := files.ReadFile("pages/" + name) // embedded: it is there
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(content) // the browser has gone; nobody is left to tell
	}
}

// frame is what every page has around it.
type frame struct {
	Who     string // empty: nobody is signed in
	Version string
}

func (d *Dashboard) frame(who viewer) frame { return frame{who.name, d.Version} }

// show renders a page in full before the first byte goes out.
func (d *Dashboard) show(w http.ResponseWriter, status int, page string, data any) {
	var out bytes.Buffer
	if err := d.pages.ExecuteTemplate(&out, page, data); err != nil {
		d.Log.Error("render a page", "page", page, "err", err)
		http.Error(w, "The page cannot be shown; the server's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the browser has gone; nobody is left to tell
}

// fail says that there is no such page, or that it cannot be had now. Why is
// for the server's log alone.
func (d *Dashboard) fail(w http.ResponseWriter, r *http.Request, err error) {
	type problem struct {
		frame
		Text string
	}
	if errors.Is(err, batuta.NotFound) {
		d.show(w, http.StatusNotFound, "problem.html", problem{d.frame(viewer{}), "There is no such page."})
		return
	}
	if r.Context().Err() == nil {
		d.Log.Error("show a page", "path", r.URL.Path, "err", err)
	}
	d.show(w, http.StatusInternalServerError, "problem.html", problem{d.frame(viewer{}), "This cannot be shown now. The server's log says why."})
}
