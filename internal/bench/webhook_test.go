package main

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"batuta/webhooks"
)

// TestFireSendsWhatTheForgeSigns has the forge itself check the deliveries, of
// which no two are alike.
func TestFireSendsWhatTheForgeSigns(t *testing.T) {
	t.Parallel()
	b := &bench{token: "signed with this"}
	payload := []byte(`{"ref": "refs/heads/main"}`)
	var mu sync.Mutex
	seen := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if !webhooks.Gitea().Signed(r.Header, payload, b.token) {
			t.Error("not signed")
		}
		seen[r.URL.Path+" "+r.Header.Get("X-Gitea-Delivery")] = true
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	v, err := b.newGun(payload).fire(t.Context(), server.URL, 2*clients)
	if err != nil || len(seen) != 2*clients || v.rate <= 0 || v.p99 < v.median {
		t.Errorf("%d deliveries, %+v, %v", len(seen), v, err)
	}
}

func TestFireFailsIfOneIsRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := new(bench).newGun(nil).fire(t.Context(), server.URL, clients); err == nil {
		t.Error("refused deliveries were counted as accepted")
	}
}
