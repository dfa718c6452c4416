package keeper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"batuta/internal/lab"
)

// fetch puts a base image on the engine under the name that Dockerfiles use,
// unless the engine has an image of that name.
func (e *engine) fetch(ctx context.Context, registry string, base lab.Base) error {
	repository, tag, _ := strings.Cut(recipes[base].reference, ":")
	if e.request(ctx, http.MethodGet, "/images/"+repository+":"+tag+"/json", nil) == nil {
		return nil
	}
	from := registry + "/library/" + repository
	if err := e.request(ctx, http.MethodPost, "/images/create", url.Values{"fromImage": {from}, "tag": {tag}}); err != nil {
		return err
	}
	if err := e.request(ctx, http.MethodPost, "/images/"+from+":"+tag+"/tag", url.Values{"repo": {repository}, "tag": {tag}}); err != nil {
		return err
	}
	if e.dockerd == nil { // it stays when the lab goes
		e.guests = append(e.guests, repository+":"+tag, from+":"+tag)
	}
	return nil
}

// dismiss removes the base images from an engine that stays.
func (e *engine) dismiss(ctx context.Context) error {
	var problems error
	for _, reference := range e.guests {
		problems = errors.Join(problems, e.request(ctx, http.MethodDelete, "/images/"+reference, nil))
	}
	return problems
}

// request makes one request of the Docker Engine API and reads the answer to
// its end: a pull has ended only then, and may report its failure within.
func (e *engine) request(ctx context.Context, method, path string, query url.Values) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", e.socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // it explains; the status is the error
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, said)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var progress struct{ Error string }
		if json.Unmarshal(lines.Bytes(), &progress) == nil && progress.Error != "" {
			return fmt.Errorf("%s %s: %s", method, path, progress.Error)
		}
	}
	return lines.Err()
}
