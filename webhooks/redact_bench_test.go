package webhooks_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"batuta"
	"batuta/webhooks"
)

// BenchmarkReceiver takes in a push, which nobody keeps.
func BenchmarkReceiver(b *testing.B) {
	_, body := fixture(b, "testdata/gitea/push.branch.json")
	receiver := webhooks.New(webhooks.Config{Apps: &server{}, Inbox: nowhere{}, Forges: forges(), MaxAge: 1e9 * time.Second})
	b.ReportAllocs()
	for b.Loop() {
		req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/webhooks/portal", bytes.NewReader(body))
		for name, value := range gitea("push", "d-1", body, "new secret") {
			req.Header.Set(name, value)
		}
		res := httptest.NewRecorder()
		if receiver.ServeHTTP(res, req); res.Code != http.StatusAccepted {
			b.Fatal(res.Code, res.Body)
		}
	}
}

// nowhere takes in everything.
type nowhere struct{}

// Deliver keeps nothing.
func (nowhere) Deliver(context.Context, batuta.Delivery) (webhooks.Receipt, error) {
	return webhooks.Receipt{Run: 1}, nil
}
