package client

import (
	"context"
	"net/url"

	"batuta"
	"batuta/pipeline"
)

// Settled is the batuta.yml of an app's newest run in full.
func (c *Client) Settled(ctx context.Context, app batuta.AppName) (pipeline.Settled, error) {
	return get[pipeline.Settled](ctx, c, "/apps/"+url.PathEscape(string(app))+"/config", nil)
}
