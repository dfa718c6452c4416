package apitest

import (
	"context"
	"encoding/json"

	"batuta"
	"batuta/builder"
	"batuta/pipeline"
)

// base is what the world's images are built from.
var base = builder.Base{Reference: "docker.io/library/node:20-slim", Digest: "sha256:b5b1b2b3b4b5b6b7b8b9b0b1b2b3b4b5b6b7b8b9b0b1b2b3b4b5b6b7b8b9b0b1"}

// signed is the signature of every image.
const signed = batuta.Digest("sha256:5151515151515151515151515151515151515151515151515151515151515151")

// Why is api.Lineage.
func (w *World) Why(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (pipeline.Why, error) {
	all, err := w.Status(ctx, app)
	for _, s := range all {
		if s.Environment != env {
			continue
		}
		why := pipeline.Why{App: app, Environment: env, Release: s.Release, Containers: []pipeline.Origin{}}
		for _, c := range s.Containers {
			why.Containers = append(why.Containers, pipeline.Origin{
				Service: c.Service, Instance: c.Instance, Ship: c.Ship, ID: c.ID, State: c.State, Image: c.Image, Name: "web", Release: c.Release, Signed: signed, Bases: []builder.Base{base},
				Built:    &pipeline.Making{Run: 2, Revision: s.Revision, Message: "A search box", Ref: "refs/heads/main", Forge: "gitea", Delivery: "d-1", By: "ana", At: Now},
				Deployed: &pipeline.Placing{Deployment: 4, Run: 4, Kind: batuta.RunPromotion, From: "qa", By: "ana", Approved: []string{"ana", "ben"}, Plan: "cafe", Status: batuta.Live, At: Now},
			})
		}
		return why, nil
	}
	if err == nil {
		err = &batuta.Error{Kind: batuta.NotFound, Message: string(app) + " has no environment " + string(env)}
	}
	return pipeline.Why{}, err
}

// Bases is api.Lineage.
func (w *World) Bases(_ context.Context, app batuta.AppName) ([]pipeline.Foundation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := []pipeline.Foundation{}
	for _, r := range w.releases {
		made := r.Images["web"]
		if app == "" || app == r.App {
			return append(all, pipeline.Foundation{
				App: r.App, Release: r.Number, Image: "web", Made: made,
				Bases: []pipeline.Footing{{Base: base}}, Dependants: []batuta.AppName{"blog"}, Behind: "run 4 rebuilds it",
			}), w.fault
		}
	}
	return all, w.fault
}

// Provenance is api.Lineage.
func (w *World) Provenance(_ context.Context, app batuta.AppName, digest batuta.Digest) (pipeline.Build, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.releases {
		if made := r.Images["web"]; r.App == app && made.Digest == digest {
			return pipeline.Build{App: app, Image: "web", Made: made, Run: r.Run, Bases: []builder.Base{base}, Provenance: json.RawMessage(`{"buildDefinition":{}}`)}, w.fault
		}
	}
	return pipeline.Build{}, &batuta.Error{Kind: batuta.NotFound, Message: "nothing is known of how " + string(digest) + " was built"}
}
