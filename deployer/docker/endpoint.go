package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/docker/docker/client"

	"batuta"
)

// origin is where a ship's Engine listens.
type origin struct {
	network string // unix or tcp
	host    string // in the URLs of requests
}

func parseEndpoint(s string) (origin, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return origin{}, badEndpoint(s)
	case u.Scheme == "unix" && u.Host == "" && path.IsAbs(u.Path):
		return origin{network: "unix", host: client.DummyHost}, nil
	case u.Scheme == "tcp" && u.Hostname() != "" && u.Port() != "" && strings.Trim(u.Path, "/") == "":
		return origin{network: "tcp", host: u.Host}, nil
	case u.Scheme == "ssh":
		return origin{}, &batuta.Error{
			Kind: batuta.Invalid, Message: fmt.Sprintf("endpoint %q: ships cannot be reached over ssh yet", s),
			Hint: "write unix:///path or tcp://host:port",
		}
	}
	return origin{}, badEndpoint(s)
}

func badEndpoint(s string) error {
	return &batuta.Error{
		Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not the endpoint of a Docker Engine", s),
		Hint: "write unix:///path or tcp://host:port",
	}
}

// transport keeps as many connections as a deployment uses at once.
func (o origin) transport() *http.Transport {
	return &http.Transport{MaxIdleConns: 16, MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second}
}

// direct makes a transport reach the ship without an HTTP proxy.
func (o origin) direct(t *http.Transport) { t.Proxy = nil }

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
	address := "http://" + s.origin.host + "/v" + c.ClientVersion() + target
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

// refused is the error in an answer of the Engine.
func refused(resp *http.Response) error {
	var said struct{ Message string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil {
		said.Message = resp.Status
	}
	return &batuta.Error{Kind: kindOfStatus(resp.StatusCode), Message: said.Message}
}
