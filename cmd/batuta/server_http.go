package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"

	"batuta"
	"batuta/internal/api"
	"batuta/internal/web"
	"batuta/pipeline"
	"batuta/webhooks"
)

// openHandler mounts everything on the one port.
func (s *server) openHandler(context.Context, parts) error {
	pages, err := web.New(web.Config{
		Reader: reader{s.pipeline, s}, Harbour: s.pipeline, Logs: wholeLog{s}, Doorman: doorman{s},
		Anonymous: s.config.Dashboard.Anonymous, Version: version, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.close = append(s.close, pages.Close)
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.Handle(api.Prefix+"/", api.New(api.Config{
		Runs: s.store, Shelf: s.store, Trail: s.store, Runner: s.pipeline, Deployer: s.pipeline, Harbour: s.pipeline, Chronicle: s.pipeline, Postbox: s.pipeline, Lineage: s.pipeline, Recipes: s.pipeline, Key: s.signing.Public(), Logs: s.logs,
		Artifacts: s.artifacts,
		Gate:      s.gate, Apps: s.listing(), Version: version, Log: s.log, Stopping: s.stopping, Refused: s.auditDenial,
	}))
	mux.Handle("/webhooks/", webhooks.New(webhooks.Config{
		Apps: hookedApps{s}, Inbox: inbox{s.pipeline}, Censor: newCensor(s.config.Apps), Audit: s.auditRefusal, Log: s.log,
		Forges: webhooks.All(), Images: webhooks.Registries(), Pace: webhooks.Pace{Deliveries: s.config.Webhooks.Rate.Times, Per: s.config.Webhooks.Rate.Per}, Proxies: s.proxies(),
	}))
	mux.Handle("/git/", s.remote)
	if s.registry != nil {
		mux.Handle("/v2/", s.registry)
	}
	mux.HandleFunc("GET /healthz", s.health)
	s.handler = mux
	return nil
}

// health answers whether the server takes in work: 200, or 503 when its
// database does not answer or it is stopping.
func (s *server) health(w http.ResponseWriter, r *http.Request) {
	status, code := "ok", http.StatusOK
	if _, err := s.store.Runs(r.Context(), nil, "", 1); err != nil {
		status, code = "the database does not answer", http.StatusServiceUnavailable
	}
	select {
	case <-s.stopping:
		status, code = "stopping", http.StatusServiceUnavailable
	default:
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": status, "version": version}) // nobody is left to tell
}

// listing is the apps of server.yml as the API shows them.
func (s *server) listing() []api.App {
	var all []api.App
	for _, name := range slices.Sorted(maps.Keys(s.config.Apps)) {
		a := s.config.Apps[name]
		all = append(all, api.App{Name: name, Repository: cmp.Or(a.Repository, s.config.URL+"/git/"+string(name)+".git")})
	}
	return all
}

// proxies are those whose word about where a delivery comes from is taken.
func (s *server) proxies() []netip.Prefix {
	var all []netip.Prefix
	for _, n := range s.config.Webhooks.Proxies {
		all = append(all, n.Prefix)
	}
	return all
}

// hookedApps tells the webhook receiver the apps' secrets.
type hookedApps struct{ *server }

// Webhook gives the secrets that sign an app's deliveries.
func (h hookedApps) Webhook(app batuta.AppName) ([]string, bool) {
	a, ok := h.config.Apps[app]
	var secrets []string
	for _, s := range a.WebhookSecrets {
		secrets = append(secrets, s.Reveal())
	}
	return secrets, ok
}

// inbox brings what the forges deliver to the pipeline.
type inbox struct{ *pipeline.Pipeline }

// Deliver returns once the delivery is on disk.
func (i inbox) Deliver(ctx context.Context, d batuta.Delivery) (webhooks.Receipt, error) {
	r, err := i.Take(ctx, d)
	return webhooks.Receipt{Run: r.Run, Duplicate: r.Duplicate, Ignored: r.Ignored}, err
}

// reader is what the dashboard reads.
type reader struct {
	*pipeline.Pipeline
	*server
}

// Runs lists the newest runs.
func (r reader) Runs(ctx context.Context, limit int) ([]batuta.Run, error) {
	return r.store.Runs(ctx, nil, "", limit)
}

// Run gives one run.
func (r reader) Run(ctx context.Context, id batuta.RunID) (batuta.Run, error) {
	return r.store.Run(ctx, id)
}

// wholeLog is a run's log as it is now.
type wholeLog struct{ *server }

// Log writes it to w.
func (l wholeLog) Log(ctx context.Context, id batuta.RunID, w io.Writer) error {
	return l.logs.Follow(ctx, id, 0, func() bool { return true }, w)
}
