package api

import (
	"context"
	"net/http"

	"batuta"
	"batuta/pipeline"
)

// Recipes tells by which batuta.yml an app is built and run.
type Recipes interface {
	// Settled gives the one of the app's newest run that read one.
	Settled(ctx context.Context, app batuta.AppName) (pipeline.Settled, error)
}

var _ Recipes = (*pipeline.Pipeline)(nil)

func (s *server) aboutRecipes() {
	register(s, s.at(http.MethodGet, "/apps/{app}/config", "config", "The batuta.yml of the newest run in full, with every default"), s.settled)
}

func (s *server) settled(ctx context.Context, in *struct {
	App batuta.AppName `path:"app"`
}) (*only[pipeline.Settled], error) {
	settled, err := s.Recipes.Settled(ctx, in.App)
	if err != nil {
		return nil, err
	}
	return &only[pipeline.Settled]{settled}, nil
}
