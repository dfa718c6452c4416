package apitest

import (
	"context"

	"batuta"
	"batuta/pipeline"
)

// Settled is api.Recipes.
func (w *World) Settled(_ context.Context, app batuta.AppName) (pipeline.Settled, error) {
	r := pipeline.Recipe{App: app, Promote: []batuta.EnvironmentName{"qa", "production"}}
	text, err := r.YAML()
	return pipeline.Settled{App: app, Run: 1, Revision: batuta.Revision("1111111111111111111111111111111111111111"), Recipe: string(text)}, err
}
