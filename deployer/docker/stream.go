package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/docker/docker/client"

	"batuta"
)

// stream makes a request whose answer is a connection of its own, which
// outlives ctx. The client's own calls of this kind do not give up when ctx
// ends. Without upgrade the answer can only be read.
func (s *Ship) stream(ctx context.Context, target string, body any, upgrade bool) (io.ReadCloser, error) {
	c, err := s.engine(ctx)
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	address := s.scheme() + "://" + s.origin.host + "/v" + c.ClientVersion() + target
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if upgrade {
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "tcp")
	}
	resp, err := (&http.Client{Transport: s.transport, CheckRedirect: client.CheckRedirect}).Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close()
		return nil, refused(resp)
	}
	return resp.Body, nil
}

func (s *Ship) scheme() string {
	if s.transport.TLSClientConfig != nil {
		return "https"
	}
	return "http"
}

// refused is the error in an answer of the Engine.
func refused(resp *http.Response) error {
	var said struct{ Message string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil {
		said.Message = resp.Status
	}
	return &batuta.Error{Kind: kindOfStatus(resp.StatusCode), Message: said.Message}
}
