package client

import (
	"context"
	"net/url"
	"time"

	"batuta"
	"batuta/internal/api"
	"batuta/pipeline"
)

// Ships is every ship as it is now.
func (c *Client) Ships(ctx context.Context) ([]pipeline.ShipStatus, error) {
	return get[[]pipeline.ShipStatus](ctx, c, "/ships", nil)
}

// Ship is one ship with all that is on it.
func (c *Client) Ship(ctx context.Context, name batuta.ShipName) (pipeline.ShipStatus, error) {
	return get[pipeline.ShipStatus](ctx, c, shipPath(name, ""), nil)
}

// Cordon has nothing counted come to a ship.
func (c *Client) Cordon(ctx context.Context, name batuta.ShipName, why string) (pipeline.ShipStatus, error) {
	return post[pipeline.ShipStatus](ctx, c, shipPath(name, "/cordon"), api.Wish{Why: why})
}

// Uncordon opens a ship again.
func (c *Client) Uncordon(ctx context.Context, name batuta.ShipName, why string) (pipeline.ShipStatus, error) {
	return post[pipeline.ShipStatus](ctx, c, shipPath(name, "/uncordon"), api.Wish{Why: why})
}

// Drain queues the runs that move elsewhere what is counted on a ship.
func (c *Client) Drain(ctx context.Context, name batuta.ShipName, why string) (pipeline.Drain, error) {
	return post[pipeline.Drain](ctx, c, shipPath(name, "/drain"), api.Wish{Why: why})
}

// History lists what happened in an environment, or in all of the app's if env
// is empty, newest first.
func (c *Client) History(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, f pipeline.EventFilter) ([]pipeline.Event, error) {
	since := ""
	if !f.Since.IsZero() {
		since = f.Since.UTC().Format(time.RFC3339Nano)
	}
	if env == "" {
		env = "-"
	}
	return get[[]pipeline.Event](ctx, c, environmentPath(app, env)+"/history", query{
		"instance": string(f.Instance), "kind": string(f.Kind), "since": since, "limit": number(f.Limit),
	})
}

func shipPath(name batuta.ShipName, rest string) string {
	return "/ships/" + url.PathEscape(string(name)) + rest
}
