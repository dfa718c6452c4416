package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// mostKey bounds an answer that should be a key, in bytes.
const mostKey = 16 << 10

// Key is the public key that the server signs releases with, in PEM.
func (c *Client) Key(ctx context.Context) (string, error) {
	r, err := c.send(ctx, http.MethodGet, "/key", nil)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	key, err := io.ReadAll(io.LimitReader(r.Body, mostKey))
	if err != nil {
		return "", c.unreachable(ctx, fmt.Errorf("read the key: %w", err))
	}
	return string(key), nil
}
