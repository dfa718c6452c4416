package api

import (
	"context"
	"net/http"
	"slices"

	"batuta"
	"batuta/pipeline"
)

// Lineage tells where what runs comes from, and what it is built from.
type Lineage interface {
	Why(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (pipeline.Why, error)
	// Bases is what the images of an app's newest release are built from; of
	// all apps if app is empty.
	Bases(ctx context.Context, app batuta.AppName) ([]pipeline.Foundation, error)
	Provenance(ctx context.Context, app batuta.AppName, digest batuta.Digest) (pipeline.Build, error)
}

var _ Lineage = (*pipeline.Pipeline)(nil)

func (s *server) aboutLineage() {
	register(s, s.at(http.MethodGet, "/apps/{app}/environments/{env}/why", "why", "Where each container of an environment comes from"), s.why)
	register(s, s.at(http.MethodGet, "/bases", "bases", "What the images of the newest releases are built from, and who depends on them"), s.bases)
	register(s, s.at(http.MethodGet, "/apps/{app}/images/{digest}/provenance", "provenance", "How an image came about, with what its builder attests"), s.provenance)
}

func (s *server) why(ctx context.Context, in *struct {
	App         batuta.AppName         `path:"app"`
	Environment batuta.EnvironmentName `path:"env"`
}) (*only[pipeline.Why], error) {
	w, err := s.Lineage.Why(ctx, in.App, in.Environment)
	if err != nil {
		return nil, err
	}
	return &only[pipeline.Why]{w}, nil
}

// bases leaves out what the person may not see: other apps, and that they
// depend on this one.
func (s *server) bases(ctx context.Context, in *struct {
	App batuta.AppName `query:"app"`
}) (*list[pipeline.Foundation], error) {
	all, err := s.Lineage.Bases(ctx, in.App)
	mine := principal(ctx).Apps
	if err != nil || len(mine) == 0 {
		return listOf(all, err)
	}
	hidden := func(app batuta.AppName) bool { return !slices.Contains(mine, app) }
	all = slices.DeleteFunc(slices.Clone(all), func(f pipeline.Foundation) bool { return hidden(f.App) })
	for i, f := range all {
		all[i].Dependants = slices.DeleteFunc(slices.Clone(f.Dependants), hidden)
	}
	return listOf(all, nil)
}

func (s *server) provenance(ctx context.Context, in *struct {
	App    batuta.AppName `path:"app"`
	Digest batuta.Digest  `path:"digest" pattern:"^sha256:[0-9a-f]{64}$"`
}) (*only[pipeline.Build], error) {
	b, err := s.Lineage.Provenance(ctx, in.App, in.Digest)
	if err != nil {
		return nil, err
	}
	return &only[pipeline.Build]{b}, nil
}
