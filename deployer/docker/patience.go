package docker

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"time"
)

// patient bounds how long the Engine may take to answer a question. To change
// something takes the time that it takes.
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

// streams are the paths of questions whose answers have no end of their own.
var streams = regexp.MustCompile(`/(logs|events|archive|get)$`)

func takesItsTime(req *http.Request) bool {
	return req.Method != http.MethodGet && req.Method != http.MethodHead || streams.MatchString(req.URL.Path)
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
