package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"batuta"
)

// Failure is the body of every answer that is not a success, in the form of
// RFC 9457 with members of our own.
type Failure struct {
	Title    string           `json:"title" doc:"the HTTP status in words"`
	Status   int              `json:"status"`
	Detail   string           `json:"detail" doc:"what could not be done, for a person"`
	Kind     batuta.Kind      `json:"kind" enum:"internal,invalid,not found,denied,conflict,unavailable,unhealthy" doc:"what a program does about it"`
	Hint     string           `json:"hint,omitempty" doc:"what the person can do about it"`
	Problems []batuta.Problem `json:"problems,omitempty" doc:"what is wrong with the documents, each at its place"`
}

// maxFailure bounds what is read of an error's answer.
const maxFailure = 4 << 20

// problemType is the media type of RFC 9457.
const problemType = "application/problem+json"

// Error is the detail.
func (p *Failure) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Failure) GetStatus() int { return p.Status }

// ContentType names the body's form.
func (p *Failure) ContentType(string) string { return problemType }

// Err is the error that the failure was made of, as far as it was told.
func (p *Failure) Err() error {
	if len(p.Problems) > 0 {
		return batuta.Problems(p.Problems)
	}
	return &batuta.Error{Kind: p.Kind, Message: p.Detail, Hint: p.Hint}
}

// statusOf is the one place where the kinds of errors become HTTP statuses.
func statusOf(kind batuta.Kind) int {
	switch kind {
	case batuta.Invalid:
		return http.StatusUnprocessableEntity
	case batuta.NotFound:
		return http.StatusNotFound
	case batuta.Denied:
		return http.StatusForbidden
	case batuta.Conflict, batuta.Unhealthy:
		return http.StatusConflict
	case batuta.Unavailable:
		return http.StatusServiceUnavailable
	case batuta.Internal:
	}
	return http.StatusInternalServerError
}

// kindOf is the opposite, for errors that HTTP machinery makes.
func kindOf(status int) batuta.Kind {
	switch {
	case status == http.StatusNotFound:
		return batuta.NotFound
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return batuta.Denied
	case status == http.StatusConflict:
		return batuta.Conflict
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		return batuta.Unavailable
	case status >= 400 && status < 500:
		return batuta.Invalid
	}
	return batuta.Internal
}

// failure tells an error to whoever asked. What is our own fault is logged,
// and not told.
func (s *server) failure(ctx context.Context, operation string, err error) *Failure {
	p := &Failure{Kind: batuta.Internal, Detail: err.Error()}
	if e, ok := errors.AsType[*batuta.Error](err); ok {
		p.Kind, p.Hint = e.Kind, e.Hint
	}
	if ps, ok := errors.AsType[batuta.Problems](err); ok {
		p.Kind, p.Problems = batuta.Invalid, ps
	}
	if p.Kind == batuta.Internal && ctx.Err() != nil {
		p.Kind, p.Detail = batuta.Unavailable, "the request was given up"
	}
	if p.Kind == batuta.Internal {
		s.Log.ErrorContext(ctx, "request failed", "operation", operation, "err", err)
		p.Detail, p.Hint = "the server made a mistake", "its log says which"
	}
	return p.of(statusOf(p.Kind))
}

func (p *Failure) of(status int) *Failure {
	p.Status, p.Title = status, http.StatusText(status)
	return p
}

// ReadFailure is the error that an answer tells of, with the kind it had on the
// server. An answer in another form, of a proxy for instance, gets its kind
// from its status.
func ReadFailure(r *http.Response) error {
	var p Failure
	body := io.LimitReader(r.Body, maxFailure)
	if r.Header.Get("Content-Type") == problemType && json.NewDecoder(body).Decode(&p) == nil && p.Kind != "" {
		return p.Err()
	}
	return &batuta.Error{Kind: kindOf(r.StatusCode), Message: "the server answered " + r.Status, Hint: "is " + r.Request.URL.Host + " a Batuta server?"}
}

// refuse answers a request that does not reach its handler.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := s.failure(r.Context(), r.Method+" "+r.URL.Path, err)
	if errors.Is(err, errNobody) {
		p = p.of(http.StatusUnauthorized)
		w.Header().Set("WWW-Authenticate", `Bearer realm="batuta"`)
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client has gone; nobody is left to tell
}

// unify gives the errors that huma finds in requests our own form.
func unify(_ huma.Context, _ string, body any) (any, error) {
	e, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	details := []string{}
	for _, d := range e.Errors {
		details = append(details, strings.TrimPrefix(d.Location+": ", ": ")+d.Message)
	}
	p := &Failure{Kind: kindOf(e.Status), Detail: e.Detail}
	if len(details) > 0 {
		p.Detail = fmt.Sprintf("%s: %s", e.Detail, strings.Join(details, "; "))
	}
	return p.of(e.Status), nil
}

// describeFailure is how the OpenAPI document shows errors.
func (s *server) describeFailure() *huma.Response {
	schema := s.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Failure](), true, "Failure")
	return &huma.Response{
		Description: "What could not be done, and why",
		Content:     map[string]*huma.MediaType{problemType: {Schema: schema}},
	}
}
