// Package notify is how the world outside is told: it brings a message to a
// webhook of somebody's own, signed, or to a chat or a mailbox, and the status
// of a commit to the forge that has it. Each makes one attempt and says whether
// another may help; who keeps what is still to be told, tries again and gives
// up is package pipeline, with its outbox. cmd/batuta brings the two together.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"batuta"
)

// Message is one thing to know, as the body of a request.
type Message struct {
	At          time.Time              `json:"at"`
	Topic       string                 `json:"topic"` // what it is chosen by
	Kind        string                 `json:"kind"`  // more precise than the topic
	App         batuta.AppName         `json:"app,omitempty"`
	Environment batuta.EnvironmentName `json:"environment,omitempty"`
	Ship        batuta.ShipName        `json:"ship,omitempty"`
	Run         batuta.RunID           `json:"run,omitempty"`
	URL         string                 `json:"url,omitempty"` // of the run's page
	Text        string                 `json:"text"`
}

// patience bounds one request, maxReply what is read of its answer.
const (
	patience = 10 * time.Second
	maxReply = 4 << 10
)

// Later is that something did not take what it was told, and when it is worth
// trying again. Its kind is Unavailable.
type Later struct {
	After time.Duration // 0: it did not say
	Err   error
}

// Error is why.
func (l *Later) Error() string { return l.Err.Error() }

// Unwrap gives why, which has the kind.
func (l *Later) Unwrap() error { return l.Err }

// RetryAfter is the least time to wait.
func (l *Later) RetryAfter() time.Duration { return l.After }

// client makes the requests of this package. It follows no redirect: what is
// sent is meant for one address, and so are the credentials with it.
func client() *http.Client {
	return &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post sends a body of JSON and gives what was answered, which is an error
// unless the status is 2xx: Unavailable if another try may help, else Denied.
func post(ctx context.Context, address string, header http.Header, body []byte) (answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", bare(err))
	}
	if header != nil {
		r.Header = header
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "batuta")
	a, err := client().Do(r)
	if err != nil {
		return nil, &batuta.Error{Kind: batuta.Unavailable, Message: "nobody answers", Err: bare(err)}
	}
	defer a.Body.Close()
	answer, _ = io.ReadAll(io.LimitReader(a.Body, maxReply)) // what there is of it
	return answer, verdict(a, time.Now())
}

// verdict is what a status means for who sent the request.
func verdict(a *http.Response, now time.Time) error {
	switch code := a.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, limited(a.Header):
		return &Later{retryAfter(a.Header, now), &batuta.Error{Kind: batuta.Unavailable, Message: "it answers " + a.Status}}
	}
	return &batuta.Error{Kind: batuta.Denied, Message: "it refuses: " + a.Status}
}

// limited tells whether a refusal is only that there were too many requests:
// GitHub says so with 403, and the other header tells it from a real one.
func limited(h http.Header) bool {
	return h.Get("Retry-After") != "" || h.Get("X-Ratelimit-Remaining") == "0"
}

// retryAfter is how long a server asks to be left alone: seconds or a date in
// Retry-After, or the instant at which its rate limit begins anew.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return max(time.Duration(seconds)*time.Second, 0)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	reset, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64)
	if err != nil || h.Get("X-Ratelimit-Remaining") != "0" {
		return 0
	}
	return max(time.Unix(reset, 0).Sub(now), 0)
}

// bare is an error without the URL, which may hold a token.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// encode is a value as JSON.
func encode(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write the message: %w", err)
	}
	return text, nil
}

// headline is a text on one line of at most so many characters.
func headline(text string, most int) string {
	line := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " "))
	if len(line) > most {
		line = append(line[:most-1], '…')
	}
	return string(line)
}
