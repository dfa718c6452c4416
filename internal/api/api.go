// Package api is the server's HTTP interface under /api/v1: JSON for programs,
// text streams for logs, and the OpenAPI description of both at
// /api/v1/openapi.json. It decides who may ask what; what is asked for is then
// done by package pipeline and read from the store, through the small
// interfaces below.
//
// Package api/client speaks to it for the command.
package api

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"batuta"
	"batuta/pipeline"
)

// Prefix is where the API is mounted.
const Prefix = "/api/v1"

// What the API asks for. Lists come newest first and hold at most limit
// elements.
type (
	// Runs reads what runs there are.
	Runs interface {
		// Runs lists the runs of the apps (empty: of all) with the status
		// (empty: any), without their steps.
		Runs(ctx context.Context, apps []batuta.AppName, status batuta.RunStatus, limit int) ([]batuta.Run, error)
		Run(ctx context.Context, id batuta.RunID) (batuta.Run, error)
	}

	// Shelf reads what was made and where it went.
	Shelf interface {
		Release(ctx context.Context, app batuta.AppName, n batuta.ReleaseNumber) (batuta.Release, error)
		Releases(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Release, error)
		Deployments(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, limit int) ([]batuta.Deployment, error)
	}

	// Trail reads who did what.
	Trail interface {
		// Entries lists those of an app, or of everything if app is empty.
		Entries(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Entry, error)
	}

	// Runner sets runs going and stops them, on behalf of a person.
	Runner interface {
		Start(ctx context.Context, app batuta.AppName, ref string, env batuta.EnvironmentName, by string) (batuta.RunID, error)
		Rerun(ctx context.Context, id batuta.RunID, from, by string) (batuta.RunID, error)
		Approve(ctx context.Context, id batuta.RunID, by string) error
		Cancel(ctx context.Context, id batuta.RunID, by string) error
	}

	// Deployer says what runs where, and takes orders to change it.
	Deployer interface {
		Status(ctx context.Context, app batuta.AppName) ([]pipeline.EnvironmentStatus, error)
		Propose(ctx context.Context, o pipeline.Order) (pipeline.Proposal, error)
		Order(ctx context.Context, o pipeline.Order) (batuta.RunID, error)
	}

	// Logs reads what runs print.
	Logs interface {
		// Follow writes the log of a run to w from an offset in bytes. At the
		// end of the log it asks ended: if true it writes what came meanwhile
		// and returns, else it waits for more.
		Follow(ctx context.Context, id batuta.RunID, offset int64, ended func() bool, w io.Writer) error
	}
)

var (
	_ Runner   = (*pipeline.Pipeline)(nil)
	_ Deployer = (*pipeline.Pipeline)(nil)
	_ Logs     = (*pipeline.FileLogs)(nil)
)

// Config is what an API is made of.
type Config struct {
	Runs     Runs
	Shelf    Shelf
	Trail    Trail
	Runner   Runner
	Deployer Deployer
	Harbour  Harbour

	Chronicle Chronicle
	Postbox   Postbox
	Lineage   Lineage
	Recipes   Recipes

	// Key is the public part of what the server signs releases with, in PEM.
	Key string

	Logs Logs
	// Heartbeat is how often a stream of events says that it is still there,
	// so that nothing between cuts it off; 0 is every 15 seconds.
	Heartbeat time.Duration
	// Artifacts is what the tests of a run left: a directory for each test.
	Artifacts func(batuta.RunID) fs.FS

	Gate    *Gate
	Apps    []App  // those of server.yml, in the order to list them
	Version string // of the program
	Log     *slog.Logger
	// Stopping is closed when the server begins to stop: streams break off,
	// for their readers to take up at the next server. Nil: it never is.
	Stopping <-chan struct{}
	// Refused is told of each change that somebody known asked for and is
	// not granted, as a line of the audit trail. Nil: nobody is.
	Refused func(context.Context, batuta.Entry)
}

// server holds the routes' common parts.
type server struct {
	Config
	huma.API
}

// maxBody bounds what a request may send: its bodies are a handful of names.
const maxBody = 64 << 10

// New makes the API's handler, to be mounted at Prefix + "/".
func New(c Config) http.Handler {
	s, mux := assemble(c)
	mux.HandleFunc(Prefix+"/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, &batuta.Error{Kind: batuta.NotFound, Message: "no route " + r.Method + " " + r.URL.Path, Hint: "the routes are listed in " + Prefix + "/openapi.json"})
	})
	return http.MaxBytesHandler(mux, maxBody)
}

func assemble(c Config) (*server, *http.ServeMux) {
	mux := http.NewServeMux()
	about := huma.DefaultConfig("Batuta", c.Version)
	about.DocsPath, about.SchemasPath = "", ""
	about.CreateHooks = nil // no $schema links in answers
	about.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", nameSchema)
	about.RejectUnknownQueryParameters = true
	about.Transformers = []huma.Transformer{unify}
	about.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	s := &server{Config: c, API: humago.NewWithPrefix(mux, Prefix, about)}
	s.UseMiddleware(s.guard)
	s.aboutServer()
	s.aboutRuns()
	s.aboutArtifacts()
	s.aboutEnvironments()
	s.aboutShips()
	s.aboutDeliveries()
	s.aboutLineage()
	s.aboutRecipes()
	s.aboutKey()
	return s, mux
}

// nameSchema keeps types of different packages apart, as in DeployerPlan.
func nameSchema(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	room := path.Base(t.PkgPath())
	if room == "batuta" || room == "api" || room == "." {
		return name
	}
	return strings.ToUpper(room[:1]) + room[1:] + name
}

// at describes a route; its rule is in the table of rules.
func (s *server) at(method, path, id, summary string) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, MaxBodyBytes: maxBody,
		Security:  []map[string][]string{{"token": {}}},
		Responses: map[string]*huma.Response{"default": s.describeFailure()},
	}
}

// accepted is the same for a route that queues a run.
func (s *server) accepted(path, id, summary string) huma.Operation {
	op := s.at(http.MethodPost, path, id, summary)
	op.DefaultStatus = http.StatusAccepted
	return op
}

// register adds a route whose errors are told by their kind.
func register[I, O any](s *server, op huma.Operation, act func(context.Context, *I) (*O, error)) {
	huma.Register(s.API, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := act(ctx, in)
		if err != nil {
			s.turnAway(ctx, principal(ctx), &op, batuta.Entry{}, err)
			return nil, s.failure(ctx, op.OperationID, err)
		}
		return out, nil
	})
}
