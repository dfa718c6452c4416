package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// inside brings requests to a handler of the same process: the server need not
// be able to reach itself under the address that ships and builders know it by.
// An answer is held in memory, which is for manifests and short texts.
type inside struct{ handler http.Handler }

// Inside asks the registry in r without a network. What comes back is as from
// outside, rights included.
func (r *Registry) Inside() http.RoundTripper { return inside{r} }

// RoundTrip gives what the handler answers.
func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	in.RequestURI, in.Host, in.RemoteAddr = r.URL.RequestURI(), r.URL.Host, "inside"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	a := &heldAnswer{header: http.Header{}}
	if err := i.serve(a, in); err != nil {
		return nil, err
	}
	return a.response(r), nil
}

// serve ends as a connection would if the handler gives up.
func (i inside) serve(a *heldAnswer, r *http.Request) (err error) {
	defer func() {
		if gave := recover(); gave != nil {
			err = fmt.Errorf("the registry gave up: %v", gave)
		}
	}()
	i.handler.ServeHTTP(a, r)
	return nil
}

// heldAnswer is an answer in memory.
type heldAnswer struct {
	header http.Header
	status int
	sent   http.Header // as it was when the status was
	body   bytes.Buffer
}

// Header is what is yet to be sent.
func (a *heldAnswer) Header() http.Header { return a.header }

// WriteHeader sends the status, once.
func (a *heldAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
	}
}

// Write takes some of the body, of at most 4 MiB: a manifest of distribution's.
func (a *heldAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.body.Len()+len(p) > 4<<20 {
		return 0, errors.New("the answer is too long to be held")
	}
	return a.body.Write(p)
}

// response is the answer as a client reads it.
func (a *heldAnswer) response(to *http.Request) *http.Response {
	a.WriteHeader(http.StatusOK)
	r := &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, ContentLength: int64(a.body.Len()), Body: io.NopCloser(&a.body), Request: to,
	}
	if to.Method == http.MethodHead {
		r.Body = http.NoBody
		if _, err := fmt.Sscan(a.sent.Get("Content-Length"), &r.ContentLength); err != nil {
			r.ContentLength = -1
		}
	}
	return r
}
