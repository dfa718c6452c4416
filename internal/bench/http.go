package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// bodyOf reads an answer to its end, which must have the status.
func bodyOf(response *http.Response, status int) (string, error) {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != status {
		err = fmt.Errorf("%s answers %s: %s", response.Request.URL, response.Status, strings.TrimSpace(string(body)))
	}
	return string(body), err
}

// engine asks a Docker Engine what the bench itself has to know, without the
// time that starting the docker command takes.
type engine struct {
	endpoint string // unix:///path
	http     *http.Client
}

func newEngine(endpoint string) *engine {
	path := strings.TrimPrefix(endpoint, "unix://")
	return &engine{endpoint, &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}}
}

// ask gives the answer's stream.
func (e *engine) ask(ctx context.Context, path string, query url.Values) (*json.Decoder, io.Closer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker"+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, nil, err
	}
	response, err := e.http.Do(request)
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode != http.StatusOK {
		_, err := bodyOf(response, http.StatusOK)
		return nil, nil, err
	}
	return json.NewDecoder(response.Body), response.Body, nil
}

// address is where a container's only port is published.
func (e *engine) address(ctx context.Context, container string) (string, error) {
	answer, body, err := e.ask(ctx, "/containers/"+container+"/json", nil)
	if err != nil {
		return "", err
	}
	defer body.Close()
	var found struct {
		NetworkSettings struct {
			Ports map[string][]struct{ HostPort string }
		}
	}
	if err := answer.Decode(&found); err != nil {
		return "", err
	}
	for _, published := range found.NetworkSettings.Ports {
		if len(published) > 0 {
			return net.JoinHostPort("127.0.0.1", published[0].HostPort), nil
		}
	}
	return "", fmt.Errorf("container %.12s publishes no port", container)
}

// watch gives the containers with a label as they start, from now on, until
// stop is called. The channel is closed when the Engine hangs up.
func (e *engine) watch(ctx context.Context, label string) (started <-chan string, stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	filters := fmt.Sprintf(`{"label": [%q], "event": ["start"]}`, label)
	events, body, err := e.ask(ctx, "/events", url.Values{"filters": {filters}})
	if err != nil {
		cancel()
		return nil, nil, err
	}
	ids := make(chan string)
	go func() {
		defer close(ids)
		defer body.Close()
		for {
			var event struct{ ID string }
			if events.Decode(&event) != nil {
				return
			}
			select {
			case ids <- event.ID:
			case <-ctx.Done():
				return
			}
		}
	}()
	stop = func() {
		cancel()
		for range ids { // until it is closed
		}
	}
	return ids, stop, nil
}
