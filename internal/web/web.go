// Package web is the dashboard: pages for people who look. It shows the apps,
// what runs where, and the runs; it changes nothing. Whoever wants to act uses
// the command or the API.
package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"batuta"
	"batuta/pipeline"
)

// What the pages show.
type (
	// Reader answers for one viewer: it shows only what that viewer may see.
	Reader interface {
		Status(ctx context.Context, app batuta.AppName) ([]pipeline.EnvironmentStatus, error)
		Runs(ctx context.Context, limit int) ([]batuta.Run, error)
		Run(ctx context.Context, id batuta.RunID) (batuta.Run, error)
	}

	// Logs gives the log of a run as it is now.
	Logs interface {
		Log(ctx context.Context, id batuta.RunID, w io.Writer) error
	}

	// Doorman tells whose token it is, and whether that person may look.
	Doorman interface {
		Admit(token string) (name string, may func(batuta.AppName) bool, ok bool)
	}
)

// Config is what the dashboard is made of.
type Config struct {
	Reader    Reader
	Logs      Logs
	Doorman   Doorman
	Anonymous bool // show everything without signing in
	Version   string
	Log       *slog.Logger
}

//go:embed pages
var files embed.FS

// recentRuns is how many runs the first page lists.
const recentRuns = 30

// Dashboard serves the pages.
type Dashboard struct {
	Config
	mux      *http.ServeMux
	pages    *template.Template
	sessions sessions
}

// New makes the dashboard, to be mounted at the root of the server's port.
func New(c Config) (*Dashboard, error) {
	pages, err := template.New("").Funcs(template.FuncMap{"age": age, "took": took}).ParseFS(files, "pages/*.html")
	if err != nil {
		return nil, err
	}
	d := &Dashboard{Config: c, mux: http.NewServeMux(), pages: pages}
	d.mux.Handle("GET /{$}", d.signedIn(d.front))
	d.mux.Handle("GET /runs/{id}", d.signedIn(d.run))
	d.mux.HandleFunc("GET /style.css", style)
	d.mux.HandleFunc("GET /login", d.door)
	d.mux.HandleFunc("POST /login", d.login)
	d.mux.HandleFunc("POST /logout", d.logout)
	return d, nil
}

// ServeHTTP serves a page, with headers that keep the browser to it.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	d.mux.ServeHTTP(w, r)
}

// front is the first page: what runs where, and the newest runs.
func (d *Dashboard) front(w http.ResponseWriter, r *http.Request, who viewer) {
	status, err := d.Reader.Status(r.Context(), "")
	if err != nil {
		d.fail(w, err)
		return
	}
	runs, err := d.Reader.Runs(r.Context(), recentRuns)
	if err != nil {
		d.fail(w, err)
		return
	}
	shown := status[:0]
	for _, s := range status {
		if who.may(s.App) {
			shown = append(shown, s)
		}
	}
	mine := runs[:0]
	for _, run := range runs {
		if who.may(run.App) {
			mine = append(mine, run)
		}
	}
	d.show(w, "front.html", map[string]any{"Who": who.name, "Version": d.Version, "Status": shown, "Runs": mine})
}

// run is the page of one run: its steps and its log.
func (d *Dashboard) run(w http.ResponseWriter, r *http.Request, who viewer) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	run, err := d.Reader.Run(r.Context(), batuta.RunID(id))
	if err == nil && !who.may(run.App) {
		err = batuta.NotFound
	}
	if err != nil {
		d.fail(w, err)
		return
	}
	var log bytes.Buffer
	if err := d.Logs.Log(r.Context(), run.ID, &log); err != nil {
		d.fail(w, err)
		return
	}
	d.show(w, "run.html", map[string]any{"Who": who.name, "Version": d.Version, "Run": run, "Log": log.String()})
}

// show renders a page in full before the first byte goes out.
func (d *Dashboard) show(w http.ResponseWriter, page string, data any) {
	var out bytes.Buffer
	if err := d.pages.ExecuteTemplate(&out, page, data); err != nil {
		d.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = out.WriteTo(w) // the browser has gone; nobody is left to tell
}

func (d *Dashboard) fail(w http.ResponseWriter, err error) {
	if errors.Is(err, batuta.NotFound) {
		http.Error(w, "There is no such page.", http.StatusNotFound)
		return
	}
	d.Log.Error("show a page", "err", err)
	http.Error(w, "The page cannot be shown now; the server's log says why.", http.StatusInternalServerError)
}

func style(w http.ResponseWriter, _ *http.Request) {
	css, _ := files.ReadFile("pages/style.css") // embedded: it is there
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(css)
}
