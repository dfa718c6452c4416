package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/internal/config"
	"batuta/pipeline"
)

type (
	// Harbour tells of the ships.
	Harbour interface {
		ListShips(ctx context.Context) ([]pipeline.ShipStatus, error)
		ShowShip(ctx context.Context, name batuta.ShipName) (pipeline.ShipStatus, error)
		// MarkShip cordons a ship or opens it.
		MarkShip(ctx context.Context, name batuta.ShipName, mark pipeline.Mark, by, why string) error
		// Drain cordons it and has what is counted there moved elsewhere.
		Drain(ctx context.Context, name batuta.ShipName, by, why string) (pipeline.Drain, error)
	}

	// Chronicle tells what happened to instances.
	Chronicle interface {
		History(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, f pipeline.EventFilter) ([]pipeline.Event, error)
	}
)

var (
	_ Harbour   = (*pipeline.Pipeline)(nil)
	_ Chronicle = (*pipeline.Pipeline)(nil)
)

// Wish is why a person wants something of a ship.
type Wish struct {
	Why string `json:"why,omitempty" maxLength:"500" doc:"for whoever sees the ship cordoned, and for the audit trail"`
}

// ShipPath is the ship that a request is about.
type ShipPath struct {
	Ship batuta.ShipName `path:"ship" maxLength:"63"`
}

type wishInput struct {
	ShipPath

	Body Wish
}

func (s *server) aboutShips() {
	register(s, s.at(http.MethodGet, "/ships", "ships", "The ships: whether they answer, what they have left, what runs there"), s.ships)
	register(s, s.at(http.MethodGet, "/ships/{ship}", "ship", "One ship with all that is on it"), s.ship)
	register(s, s.at(http.MethodPost, "/ships/{ship}/cordon", "cordon", "Have nothing counted come to a ship"), s.mark(pipeline.Cordoned))
	register(s, s.at(http.MethodPost, "/ships/{ship}/uncordon", "uncordon", "Open a ship again"), s.mark(pipeline.Open))
	register(s, s.accepted("/ships/{ship}/drain", "drain", "Move what is counted on a ship elsewhere"), s.drain)
	register(s, s.at(http.MethodGet, "/apps/{app}/environments/{env}/history", "history", "What happened to the instances, newest first"), s.history)
}

func (s *server) ships(ctx context.Context, _ *struct{}) (*list[pipeline.ShipStatus], error) {
	all, err := s.Harbour.ListShips(ctx)
	for i := range all {
		all[i] = shown(ctx, all[i])
	}
	return listOf(all, err)
}

func (s *server) ship(ctx context.Context, in *ShipPath) (*only[pipeline.ShipStatus], error) {
	one, err := s.Harbour.ShowShip(ctx, in.Ship)
	if err != nil {
		return nil, err
	}
	return &only[pipeline.ShipStatus]{shown(ctx, one)}, nil
}

// shown is a ship without what the caller may not see.
func shown(ctx context.Context, ship pipeline.ShipStatus) pipeline.ShipStatus {
	who := principal(ctx)
	ship.Runs = slices.DeleteFunc(slices.Clone(ship.Runs), func(c pipeline.Cargo) bool { return !who.Can(config.Read, c.App) })
	return ship
}

func (s *server) mark(mark pipeline.Mark) func(context.Context, *wishInput) (*only[pipeline.ShipStatus], error) {
	return func(ctx context.Context, in *wishInput) (*only[pipeline.ShipStatus], error) {
		if err := s.everywhere(ctx); err != nil {
			return nil, err
		}
		if err := s.Harbour.MarkShip(ctx, in.Ship, mark, principal(ctx).Name, in.Body.Why); err != nil {
			return nil, err
		}
		return s.ship(ctx, &in.ShipPath)
	}
}

func (s *server) drain(ctx context.Context, in *wishInput) (*only[pipeline.Drain], error) {
	if err := s.everywhere(ctx); err != nil {
		return nil, err
	}
	d, err := s.Harbour.Drain(ctx, in.Ship, principal(ctx).Name, in.Body.Why)
	if err != nil {
		return nil, err
	}
	return &only[pipeline.Drain]{d}, nil
}

// everywhere refuses what concerns every app to people who have only some.
func (s *server) everywhere(ctx context.Context) error {
	if who := principal(ctx); len(who.Apps) > 0 {
		return &batuta.Error{Kind: batuta.Denied, Message: who.Name + " has only some apps, and a ship is everybody's"}
	}
	return nil
}

func (s *server) history(ctx context.Context, in *struct {
	App         batuta.AppName         `path:"app"`
	Environment batuta.EnvironmentName `path:"env" doc:"a dash: all"`
	Instance    batuta.InstanceName    `query:"instance"`
	Kind        deployer.EventKind     `query:"kind" enum:"created,started,ready,unready,stopped,crashed,replaced,removed"`
	Since       time.Time              `query:"since"`
	Paging
}) (*list[pipeline.Event], error) {
	if in.Environment == "-" {
		in.Environment = ""
	}
	return listOf(s.Chronicle.History(ctx, in.App, in.Environment, pipeline.EventFilter{Instance: in.Instance, Kind: in.Kind, Since: in.Since, Limit: in.Limit}))
}
