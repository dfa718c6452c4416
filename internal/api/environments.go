package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"batuta"
	"batuta/pipeline"
)

// Order is what a person wants an environment to run; pipeline.Order without
// what the request says already.
type Order struct {
	Kind     batuta.RunKind         `json:"kind,omitempty" enum:"promotion,rollback,deploy" default:"promotion"`
	From     batuta.EnvironmentName `json:"from,omitempty" doc:"whose release is promoted; absent: the environment before this one"`
	Release  batuta.ReleaseNumber   `json:"release,omitempty" minimum:"0" doc:"absent: what the kind of the order implies"`
	Approved string                 `json:"approved,omitempty" maxLength:"200" doc:"the hash of the plan that was shown; absent: whatever the plan is"`
}

// orderInput is an order as it comes in.
type orderInput struct {
	App         batuta.AppName         `path:"app"`
	Environment batuta.EnvironmentName `path:"env"`
	Body        Order
}

func (in *orderInput) by(who Principal) pipeline.Order {
	return pipeline.Order{
		Kind: cmp.Or(in.Body.Kind, batuta.RunPromotion), App: in.App, Environment: in.Environment,
		From: in.Body.From, Release: in.Body.Release, Approved: in.Body.Approved, By: who.Name,
	}
}

func (s *server) aboutEnvironments() {
	register(s, s.at(http.MethodGet, "/status", "status", "What each environment is meant to run, and what it runs"), s.status)
	register(s, s.at(http.MethodGet, "/apps/{app}/releases", "releases", "The newest releases, without their documents"), s.releases)
	register(s, s.at(http.MethodGet, "/apps/{app}/deployments", "deployments", "What was deployed, newest first"), s.deployments)
	register(s, s.at(http.MethodPost, "/apps/{app}/environments/{env}/plan", "plan", "What an order would change, and the hash to approve it by"), s.plan)
	register(s, s.accepted("/apps/{app}/environments/{env}/deployments", "deploy", "Promote, roll back or deploy a release"), s.deploy)
}

func (s *server) status(ctx context.Context, in *struct {
	App batuta.AppName `query:"app"`
}) (*list[pipeline.EnvironmentStatus], error) {
	asked := principal(ctx).Apps
	if in.App != "" || len(asked) == 0 {
		asked = []batuta.AppName{in.App}
	}
	var all []pipeline.EnvironmentStatus
	for _, app := range asked {
		some, err := s.Deployer.Status(ctx, app)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return listOf(all, nil)
}

func (s *server) releases(ctx context.Context, in *struct {
	App batuta.AppName `path:"app"`
	Paging
}) (*list[batuta.Release], error) {
	releases, err := s.Shelf.Releases(ctx, in.App, in.Limit)
	releases = slices.Clone(releases)
	for i := range releases {
		releases[i].Documents = nil // long, and readable at the revision
	}
	return listOf(releases, err)
}

func (s *server) deployments(ctx context.Context, in *struct {
	App         batuta.AppName         `path:"app"`
	Environment batuta.EnvironmentName `query:"environment"`
	Paging
}) (*list[batuta.Deployment], error) {
	return listOf(s.Shelf.Deployments(ctx, in.App, in.Environment, in.Limit))
}

func (s *server) plan(ctx context.Context, in *orderInput) (*only[pipeline.Proposal], error) {
	p, err := s.Deployer.Propose(ctx, in.by(principal(ctx)))
	if err != nil {
		return nil, err
	}
	p.Release.Documents = nil
	return &only[pipeline.Proposal]{p}, nil
}

func (s *server) deploy(ctx context.Context, in *orderInput) (*only[batuta.Run], error) {
	return s.answer(ctx)(s.Deployer.Order(ctx, in.by(principal(ctx))))
}
