package notify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/internal/notify"
)

// ear is the other end: it answers as it is told, and takes note.
type ear struct {
	*httptest.Server
	mu      sync.Mutex
	answers []answer // one after the other, then 204
	heard   []request
}

type answer struct {
	code   int
	header map[string]string
	body   string
}

type request struct {
	*http.Request
	body []byte
}

func listen(t *testing.T, answers ...answer) *ear {
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
	e.heard = append(e.heard, request{r, body})
	a := answer{code: http.StatusNoContent}
	if len(e.answers) > 0 {
		a, e.answers = e.answers[0], e.answers[1:]
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.code)
	_, _ = io.WriteString(w, a.body)
}

// only is the one request that was heard.
func (e *ear) only(t *testing.T) request {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.heard) != 1 {
		t.Fatalf("%d requests, want 1", len(e.heard))
	}
	return e.heard[0]
}

func TestAMessageIsSigned(t *testing.T) {
	t.Parallel()
	e := listen(t)
	drift := notify.Message{At: time.Now().UTC(), Topic: "drift", Kind: "drift seen", App: "shop", Environment: "qa", Text: "web-1 on a: it is gone"}
	if err := (notify.Webhook{URL: e.URL, Secret: "between us"}).Send(t.Context(), "7", drift); err != nil {
		t.Fatal(err)
	}
	r := e.only(t)
	var got notify.Message
	if err := json.Unmarshal(r.body, &got); err != nil || got != drift {
		t.Errorf("the body is %s (%v)", r.body, err)
	}
	mac := hmac.New(sha256.New, []byte("between us"))
	mac.Write(r.body)
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); r.Header.Get(notify.SignatureHeader) != want {
		t.Errorf("signed %q, want %q", r.Header.Get(notify.SignatureHeader), want)
	}
	if r.Method != http.MethodPost || r.Header.Get(notify.DeliveryHeader) != "7" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s with %v", r.Method, r.Header)
	}
}

func TestWithoutASecretNothingIsSigned(t *testing.T) {
	t.Parallel()
	e := listen(t)
	if err := (notify.Webhook{URL: e.URL}).Send(t.Context(), "7", notify.Message{}); err != nil {
		t.Fatal(err)
	}
	if got := e.only(t).Header.Get(notify.SignatureHeader); got != "" {
		t.Errorf("signed %q", got)
	}
}

// TestWhatAnAnswerMeans tells apart what is worth another try, and when, from
// what is not.
func TestWhatAnAnswerMeans(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		answer answer
		kind   batuta.Kind
		after  time.Duration
	}{
		"taken":           {answer{code: 202}, "", 0},
		"broken":          {answer{code: 503}, batuta.Unavailable, 0},
		"busy":            {answer{code: 429, header: map[string]string{"Retry-After": "17"}}, batuta.Unavailable, 17 * time.Second},
		"busy till":       {answer{code: 429, header: map[string]string{"Retry-After": soon.UTC().Format(http.TimeFormat)}}, batuta.Unavailable, time.Hour},
		"a limit":         {answer{code: 403, header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(soon.Unix(), 10)}}, batuta.Unavailable, time.Hour},
		"a second limit":  {answer{code: 403, header: map[string]string{"Retry-After": "60"}}, batuta.Unavailable, time.Minute},
		"wrong token":     {answer{code: 401}, batuta.Denied, 0},
		"no right":        {answer{code: 403, header: map[string]string{"X-RateLimit-Remaining": "4999"}}, batuta.Denied, 0},
		"moved elsewhere": {answer{code: 301, header: map[string]string{"Location": "/elsewhere"}}, batuta.Denied, 0},
	} {
		e := listen(t, c.answer)
		err := notify.Webhook{URL: e.URL + "/a-secret-path"}.Send(t.Context(), "7", notify.Message{})
		if c.kind == "" && err != nil || c.kind != "" && !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, want %q", name, err, c.kind)
		}
		var after time.Duration
		if later, ok := errors.AsType[*notify.Later](err); ok {
			after = later.RetryAfter()
		}
		if off := c.after - after; off < 0 || off > 5*time.Second {
			t.Errorf("%s: again after %v, want %v", name, after, c.after)
		}
		if err != nil && strings.Contains(err.Error(), "a-secret-path") {
			t.Errorf("%s: the error shows the URL: %v", name, err)
		}
		e.only(t)
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	e := listen(t)
	e.Close()
	err := notify.Webhook{URL: e.URL + "/a-secret-path"}.Send(t.Context(), "7", notify.Message{})
	if !errors.Is(err, batuta.Unavailable) || strings.Contains(err.Error(), "a-secret-path") {
		t.Errorf("got %v", err)
	}
}
