package main

import (
	"context"
	"log/slog"

	"batuta"
	"batuta/pipeline"
)

// harbour is the ships of server.yml as the pipeline knows them.
func (s *server) harbour() map[batuta.ShipName]pipeline.Ship {
	all := map[batuta.ShipName]pipeline.Ship{}
	for name, ship := range s.config.Ships {
		all[name] = pipeline.Ship{Address: ship.Address, Labels: ship.Labels, Reporter: s.ships[name]}
	}
	return all
}

// notifier tells the operator in the server's log.
type notifier struct{ log *slog.Logger }

var _ pipeline.Notifier = notifier{}

// Notify writes a line.
func (n notifier) Notify(ctx context.Context, what pipeline.Notice) error {
	n.log.WarnContext(ctx, string(what.Kind), "app", what.App, "environment", what.Environment, "ship", what.Ship, "run", what.Run, "text", what.Text)
	return nil
}
