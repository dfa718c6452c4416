package api

import (
	"context"
	"net/http"

	"batuta"
	"batuta/internal/config"
)

// App is an app that the server knows.
type App struct {
	Name       batuta.AppName `json:"app"`
	Repository string         `json:"repository,omitempty" doc:"where its code is; absent: the server's own Git remote"`
}

// Version is which program answers, and who it takes the caller for.
type Version struct {
	Version string `json:"version"`
	You     string `json:"you" doc:"whose token came with the request"`
}

// Paging is how many elements a list may have.
type Paging struct {
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

// list is an answer of several things, an empty list rather than null.
type list[T any] struct {
	Body []T
}

func listOf[T any](items []T, err error) (*list[T], error) {
	if err != nil {
		return nil, err
	}
	return &list[T]{append([]T{}, items...)}, nil
}

// only is an answer of one thing.
type only[T any] struct {
	Body T
}

func (s *server) aboutServer() {
	register(s, s.at(http.MethodGet, "/version", "version", "Which server this is, and who you are to it"), s.version)
	register(s, s.at(http.MethodGet, "/apps", "apps", "The apps you may see"), s.apps)
	register(s, s.at(http.MethodGet, "/audit", "audit", "Who did what, newest first"), s.audit)
}

func (s *server) version(ctx context.Context, _ *struct{}) (*only[Version], error) {
	return &only[Version]{Version{s.Version, principal(ctx).Name}}, nil
}

func (s *server) apps(ctx context.Context, _ *struct{}) (*list[App], error) {
	var seen []App
	for _, a := range s.Apps {
		if principal(ctx).Can(config.Read, a.Name) {
			seen = append(seen, a)
		}
	}
	return listOf(seen, nil)
}

func (s *server) audit(ctx context.Context, in *struct {
	App batuta.AppName `query:"app"`
	Paging
}) (*list[batuta.Entry], error) {
	if err := s.whole(ctx, in.App); err != nil {
		return nil, err
	}
	return listOf(s.Trail.Entries(ctx, in.App, in.Limit))
}

// whole refuses a question about everything to people who see only some apps.
func (s *server) whole(ctx context.Context, app batuta.AppName) error {
	if who := principal(ctx); app == "" && len(who.Apps) > 0 {
		return &batuta.Error{Kind: batuta.Denied, Message: who.Name + " sees only some apps", Hint: "name one of them with ?app="}
	}
	return nil
}
