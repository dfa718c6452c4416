package docker

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"time"
)

// patient bounds how long the Engine may take for an answer, unless it is one
// that comes when something ends.
type patient struct {
	http.RoundTripper
	most time.Duration // 0: no bound but the request's own
}

// RoundTrip gives up with context.DeadlineExceeded.
func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	if p.most <= 0 || takesItsTime(req) {
		return p.RoundTripper.RoundTrip(req)
	}
	ctx, cancel := context.WithTimeout(req.Context(), p.most)
	resp, err := p.RoundTripper.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = bounded{resp.Body, cancel}
	return resp, nil
}

// lasting is the ends of the paths of requests that last as long as what they
// are about: a container's life, an image's way.
var lasting = regexp.MustCompile(`/(wait|stop|restart|attach|logs|events|archive|prune)$|/exec/\w+/start$|/images/(create|load)$`)

// takesItsTime tells the requests whose answer comes late by nature.
func takesItsTime(req *http.Request) bool {
	return req.Method == http.MethodDelete || lasting.MatchString(req.URL.Path)
}

// bounded is an answer that is read within the bound.
type bounded struct {
	io.ReadCloser
	done context.CancelFunc
}

func (b bounded) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}
