package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"batuta"
)

// The headers of a request. The signature is written as GitHub writes its own:
// sha256= and the HMAC-SHA256 of the body in hexadecimal.
const (
	SignatureHeader = "X-Batuta-Signature-256"
	DeliveryHeader  = "X-Batuta-Delivery" // the same each time that a message is tried
)

// A message that nobody takes is tried so often, each time after twice the
// time: for about four minutes in all.
const (
	patience     = 10 * time.Second
	tries        = 8
	firstBackoff = 2 * time.Second
)

// maxReply is as much as is read of what a webhook answers.
const maxReply = 4 << 10

// run posts what waits, one message after the other.
func (p post) run(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case body := <-p.waiting:
			if err := p.deliver(ctx, body); err != nil && ctx.Err() == nil {
				log.Error("notify", "webhook", host(p.URL), "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// deliver tries until the message is taken, is refused, or has been tried
// often enough.
func (p post) deliver(ctx context.Context, body []byte) error {
	id := rand.Text()
	for try := 1; ; try++ {
		err := p.send(ctx, id, body)
		if err == nil || try == tries || !errors.Is(err, batuta.Unavailable) {
			return err
		}
		select {
		case <-time.After(firstBackoff << (try - 1)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send makes one request. The error is Unavailable if another try may help.
func (p post) send(ctx context.Context, id string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "batuta")
	r.Header.Set(DeliveryHeader, id)
	if p.Secret != "" {
		r.Header.Set(SignatureHeader, Sign(p.Secret, body))
	}
	answer, err := p.client.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // the URL may hold a token
		}
		return &batuta.Error{Kind: batuta.Unavailable, Message: "nobody answers", Err: err}
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxReply) // for the connection to be used again
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return &batuta.Error{Kind: batuta.Unavailable, Message: "it answers " + answer.Status}
	default:
		return &batuta.Error{Kind: batuta.Denied, Message: "it refuses the message: " + answer.Status}
	}
}

// Sign is the signature of a body.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// host is what may be printed of a URL: its path often is a secret.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "a webhook"
	}
	return u.Host
}
