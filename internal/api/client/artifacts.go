package client

import (
	"context"
	"io"
	"net/http"

	"batuta"
	"batuta/internal/api"
)

// Artifacts lists what the tests of a run left, as long as it is kept.
func (c *Client) Artifacts(ctx context.Context, id batuta.RunID) ([]api.Artifact, error) {
	return get[[]api.Artifact](ctx, c, runPath(id, "/artifacts"), nil)
}

// Bundle is what the tests of a run left, or only one of them, as tar: each
// file below the name of its test. The caller closes it.
func (c *Client) Bundle(ctx context.Context, id batuta.RunID, test string) (io.ReadCloser, error) {
	r, err := c.send(ctx, http.MethodGet, runPath(id, "/artifacts.tar")+query{"test": test}.String(), nil)
	if err != nil {
		return nil, err
	}
	return r.Body, nil
}
