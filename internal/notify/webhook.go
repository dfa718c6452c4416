package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// The headers of a webhook's request. The signature is written as GitHub writes
// its own: sha256= and the HMAC-SHA256 of the body in hexadecimal.
const (
	SignatureHeader = "X-Batuta-Signature-256"
	DeliveryHeader  = "X-Batuta-Delivery" // the same each time that a message is tried
)

// Webhook is a program of somebody's own that takes messages as JSON.
type Webhook struct {
	URL    string
	Secret string // signs the body; empty: it is not signed
}

// Send makes one attempt to bring it a message. The id is the same each time.
func (w Webhook) Send(ctx context.Context, id string, m Message) error {
	body, err := encode(m)
	if err != nil {
		return err
	}
	header := http.Header{}
	header.Set(DeliveryHeader, id)
	if w.Secret != "" {
		header.Set(SignatureHeader, Sign(w.Secret, body))
	}
	_, err = post(ctx, w.URL, header, body)
	return err
}

// Sign is the signature of a body.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
