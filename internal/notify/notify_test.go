package notify_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/internal/lab"
	"batuta/internal/notify"
)

// ear is a webhook's other end: it answers as it is told, and takes note.
type ear struct {
	*httptest.Server
	mu      sync.Mutex
	answers []int // one after the other, then 204
	heard   []request
}

type request struct {
	signature, delivery string
	body                []byte
}

func listen(t *testing.T, answers ...int) *ear {
	t.Helper()
	e := &ear{answers: answers}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *ear) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, request{r.Header.Get(notify.SignatureHeader), r.Header.Get(notify.DeliveryHeader), body})
	code := http.StatusNoContent
	if len(e.answers) > 0 {
		code, e.answers = e.answers[0], e.answers[1:]
	}
	w.WriteHeader(code)
}

// requests waits for so many.
func (e *ear) requests(t *testing.T, count int) []request {
	t.Helper()
	var heard []request
	lab.Wait(t, 30*time.Second, func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if heard = e.heard; len(heard) < count {
			return errors.New("too few requests")
		}
		return nil
	})
	return heard
}

// start runs a notifier until the test ends.
func start(t *testing.T, log io.Writer, webhooks ...notify.Webhook) *notify.Notifier {
	t.Helper()
	n := notify.New(webhooks, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { n.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return n
}

func TestAMessageIsSignedAndChosenByTopic(t *testing.T) {
	t.Parallel()
	all, some := listen(t), listen(t)
	n := start(t, t.Output(), notify.Webhook{URL: all.URL, Secret: "between us"}, notify.Webhook{URL: some.URL, On: []string{"lost"}})
	drift := notify.Message{At: time.Now().UTC(), Topic: "drift", Kind: "drift seen", App: "shop", Environment: "qa", Text: "web-1 on a: it is gone"}
	lost := notify.Message{Topic: "lost", Kind: "ship lost", Ship: "a", Text: "no answer"}
	for _, m := range []notify.Message{drift, lost} {
		if err := n.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	heard := all.requests(t, 2)
	var got notify.Message
	if err := json.Unmarshal(heard[0].body, &got); err != nil || got != drift {
		t.Errorf("the body is %s (%v)", heard[0].body, err)
	}
	mac := hmac.New(sha256.New, []byte("between us"))
	mac.Write(heard[0].body)
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); heard[0].signature != want {
		t.Errorf("signed %q, want %q", heard[0].signature, want)
	}
	if heard[0].delivery == "" || heard[0].delivery == heard[1].delivery {
		t.Errorf("the deliveries are %q and %q", heard[0].delivery, heard[1].delivery)
	}
	if only := some.requests(t, 1); len(only) != 1 || !bytes.Contains(only[0].body, []byte("ship lost")) || only[0].signature != "" {
		t.Errorf("the other webhook heard %+v", only)
	}
}

func TestWhoDoesNotAnswerIsAskedAgain(t *testing.T) {
	t.Parallel()
	e := listen(t, http.StatusServiceUnavailable)
	n := start(t, t.Output(), notify.Webhook{URL: e.URL})
	if err := n.Notify(t.Context(), notify.Message{Topic: "live", Text: "once"}); err != nil {
		t.Fatal(err)
	}
	heard := e.requests(t, 2)
	if heard[0].delivery != heard[1].delivery || !bytes.Equal(heard[0].body, heard[1].body) {
		t.Errorf("another message: %+v", heard)
	}
}

func TestWhoRefusesIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	e := listen(t, http.StatusForbidden, http.StatusMovedPermanently)
	var log safeBuffer
	n := start(t, &log, notify.Webhook{URL: e.URL + "/a-secret-path"})
	for _, text := range []string{"one", "two", "three"} {
		if err := n.Notify(t.Context(), notify.Message{Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range e.requests(t, 3) {
		if text := []string{"one", "two", "three"}[i]; !bytes.Contains(r.body, []byte(text)) {
			t.Errorf("request %d is %s, want %s", i, r.body, text)
		}
	}
	if told := log.String(); !strings.Contains(told, "it refuses the message: 403") || strings.Contains(told, "a-secret-path") {
		t.Errorf("the log has %s", told)
	}
}

func TestNobodyWaits(t *testing.T) {
	t.Parallel()
	n := notify.New([]notify.Webhook{{URL: "http://127.0.0.1:1"}}, slog.New(slog.DiscardHandler)) // nothing takes from its queue
	var err error
	count := 0
	for ; err == nil && count < 1000; count++ {
		err = n.Notify(t.Context(), notify.Message{Text: "x"})
	}
	if !errors.Is(err, batuta.Unavailable) || count != 257 {
		t.Errorf("message %d: %v", count, err)
	}
}

// safeBuffer is a buffer that many may write to.
type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}
