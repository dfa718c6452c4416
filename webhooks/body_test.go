package webhooks_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"batuta/webhooks"
)

// spaces is a body of that many bytes, and counts what is read of it.
type spaces struct{ left, read int64 }

func (s *spaces) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), s.left)
	clear(p[:n])
	s.left, s.read = s.left-n, s.read+n
	return int(n), nil
}

// request is a delivery to the app whose body did not have to exist before;
// length is -1 if the sender does not say.
func request(t *testing.T, app string, h map[string]string, body io.Reader, length int64) *http.Request {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/"+app, body)
	req.ContentLength = length
	for name, value := range h {
		req.Header.Set(name, value)
	}
	return req
}

// What cannot be let in is read to its end, so that nobody can tell it from
// a wrong signature, and no more of it is kept than of an empty one. The test
// is not parallel, because it measures the memory of the whole process.
func TestStrangersBodyIsNotKept(t *testing.T) {
	s := &server{}
	receiver := s.receiver(0)
	forged := github("push", "d-1", nil, "wrong")
	unsigned := map[string]string{"X-GitHub-Event": "push"}
	for name, c := range map[string]struct {
		app    string
		h      map[string]string
		length int64
		size   int64
		status int
		kept   bool
	}{
		"an unknown app":                  {"nope", forged, webhooks.MaxBody, webhooks.MaxBody, 401, false},
		"an unknown app, unknown length":  {"nope", forged, -1, webhooks.MaxBody, 401, false},
		"an app without secrets":          {"open", forged, webhooks.MaxBody, webhooks.MaxBody, 401, false},
		"no signature":                    {"portal", unsigned, webhooks.MaxBody, webhooks.MaxBody, 401, false},
		"no forge":                        {"portal", nil, webhooks.MaxBody, webhooks.MaxBody, 400, false},
		"too large for an unknown app":    {"nope", forged, webhooks.MaxBody + 1, webhooks.MaxBody + 1, 413, false},
		"too large for an app":            {"portal", forged, webhooks.MaxBody + 1, webhooks.MaxBody + 1, 413, false},
		"too large, unknown length":       {"nope", forged, -1, webhooks.MaxBody + 1, 413, false},
		"a wrong signature":               {"portal", forged, webhooks.MaxBody, webhooks.MaxBody, 401, true},
		"a wrong signature, small":        {"portal", forged, 1 << 10, 1 << 10, 401, false},
		"a wrong signature, empty":        {"portal", forged, 0, 0, 401, false},
		"too large to app, length hidden": {"portal", forged, -1, webhooks.MaxBody + 1, 413, true},
	} {
		body := &spaces{left: c.size}
		req, res := request(t, c.app, c.h, body, c.length), httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		receiver.ServeHTTP(res, req)
		runtime.ReadMemStats(&after)
		if res.Code != c.status || body.read != c.size {
			t.Errorf("%s: %d %s after %d of %d bytes, want %d", name, res.Code, res.Body, body.read, c.size, c.status)
		}
		if took := after.TotalAlloc - before.TotalAlloc; (took > webhooks.MaxBody/2) != c.kept || took > 6*webhooks.MaxBody { // the race detector has a growing buffer counted twice
			t.Errorf("%s: %d bytes of memory for a body of %d", name, took, c.size)
		}
	}
}

// A form is taken apart before its signature can be checked, which must not
// take more memory than the room it has.
func TestFormOfManyFields(t *testing.T) {
	s := &server{}
	h := gitea("push", "d-1", nil, "wrong")
	h["Content-Type"] = "application/x-www-form-urlencoded"
	req := request(t, "portal", h, strings.NewReader(strings.Repeat("&a", webhooks.MaxBody/2)), webhooks.MaxBody)
	res := httptest.NewRecorder()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s.receiver(0).ServeHTTP(res, req)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; res.Code != 401 || took > 4*webhooks.MaxBody+1<<20 {
		t.Errorf("%d %s with %d bytes of memory", res.Code, res.Body, took)
	}
}

// A body that does not end is not waited for, and its connection is closed.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := &server{}
	web := httptest.NewServer(s.receiver(50 * time.Millisecond))
	t.Cleanup(web.Close)
	for _, app := range []string{"portal", "nope"} {
		for _, length := range []string{"Content-Length: 100", fmt.Sprint("Content-Length: ", 2<<20), "Transfer-Encoding: chunked"} {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", web.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST /webhooks/%s HTTP/1.1\r\nHost: batuta\r\nX-GitHub-Event: push\r\nX-Hub-Signature-256: sha256=00\r\n%s\r\n\r\n5\r\n", app, length)
			answer, err := io.ReadAll(conn) // to the end of the connection
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if body, _ := io.ReadAll(res.Body); res.StatusCode != 408 || string(body) != `{"error":"the delivery took too long to arrive"}`+"\n" {
				t.Errorf("%s, %s: %s %s", app, length, res.Status, body)
			}
		}
	}
}

// deadlines is a connection that notes its limits.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

// The limit is that of the body alone: keeping the push may take longer.
func TestLimitIsLifted(t *testing.T) {
	t.Parallel()
	s := &server{}
	_, body := fixture(t, "testdata/github/push.branch.json")
	for _, app := range []string{"portal", "nope"} {
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		began := time.Now()
		s.receiver(0).ServeHTTP(w, request(t, app, github("push", "d-1", body, "new secret"), bytes.NewReader(body), int64(len(body))))
		if len(w.set) != 2 || w.set[0].Sub(began).Round(time.Minute/4) != 30*time.Second || !w.set[1].IsZero() {
			t.Errorf("%s: %d, deadlines of %v: %v", app, w.Code, began, w.set)
		}
	}
}

// upload is a delivery of unknown length on its way.
type upload struct {
	*io.PipeWriter
	body     *io.PipeReader
	begun    atomic.Bool // the body is being read
	answered chan int
}

func (u *upload) Read(p []byte) (int, error) {
	u.begun.Store(true)
	return u.body.Read(p)
}

// end ends the body and gives the answer.
func (u *upload) end() int {
	u.Close()
	return <-u.answered
}

// Large bodies wait for each other, and nothing else waits for them.
func TestLargeBodiesWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		receiver := s.receiver(0)
		begin := func(app string) *upload {
			u := &upload{answered: make(chan int, 1)}
			u.body, u.PipeWriter = io.Pipe()
			go func() {
				res := httptest.NewRecorder()
				receiver.ServeHTTP(res, request(t, app, github("push", "d-1", nil, "wrong"), u, -1))
				u.answered <- res.Code
			}()
			synctest.Wait()
			return u
		}
		first, second, third, stranger := begin("portal"), begin("portal"), begin("portal"), begin("nope")
		if !first.begun.Load() || !second.begun.Load() || third.begun.Load() || !stranger.begun.Load() {
			t.Errorf("begun: %t %t %t %t", first.begun.Load(), second.begun.Load(), third.begun.Load(), stranger.begun.Load())
		}
		_, small := fixture(t, "testdata/gitea/push.branch.json") // without a time, as this test's own is another
		res := httptest.NewRecorder()
		receiver.ServeHTTP(res, request(t, "portal", gitea("push", "d-2", small, "new secret"), bytes.NewReader(small), int64(len(small))))
		if res.Code != 202 {
			t.Errorf("a small one: %d %s", res.Code, res.Body)
		}
		if a, b := stranger.end(), first.end(); a != 401 || b != 401 {
			t.Errorf("one for an unknown app %d, the first %d", a, b)
		}
		synctest.Wait()
		if !third.begun.Load() {
			t.Error("the third still waits")
		}
		began, late := time.Now(), begin("portal")
		if status, waited := <-late.answered, time.Since(began); status != 503 || waited != 30*time.Second || late.begun.Load() {
			t.Errorf("one too many: %d after %v", status, waited)
		}
		if a, b := second.end(), third.end(); a != 401 || b != 401 {
			t.Errorf("the second %d, the third %d", a, b)
		}
	})
}

// Nobody fills the audit trail with one request, or has it name an app that
// was not asked for.
func TestRefusalIsCut(t *testing.T) {
	t.Parallel()
	s := &server{}
	for name, c := range map[string]struct{ given, app string }{
		"long":          {strings.Repeat("é", 300_000), strings.Repeat("é", 199) + "…"},
		"just fits":     {strings.Repeat("é", 200), strings.Repeat("é", 200)},
		"unprintable":   {"portal\x00\x1b[2J\u202e\n", "portal��[2J��"},
		"not UTF-8":     {"portal\xff", "portal�"},
		"an empty name": {"", ""},
	} {
		s.refusals = nil
		req := request(t, "", github("push", c.given, nil, "wrong"), http.NoBody, 0)
		req.URL.Path, req.RemoteAddr = "/webhooks/"+c.given, c.given
		res := httptest.NewRecorder()
		s.receiver(0).ServeHTTP(res, req)
		if res.Code != 401 || len(s.refusals) != 1 {
			t.Fatalf("%s: %d %s, refused %+v", name, res.Code, res.Body, s.refusals)
		}
		r := s.refusals[0]
		for _, got := range []string{r.App, r.Source, r.Delivery} {
			if got != c.app || utf8.RuneCountInString(got) > 200 {
				t.Errorf("%s: %.900q, want %q", name, got, c.app)
			}
		}
	}
}

// A delivery's id that is too long to keep still tells it from others.
func TestLongDeliveryID(t *testing.T) {
	t.Parallel()
	s := &server{}
	_, body := fixture(t, "testdata/github/push.branch.json")
	for range 2 {
		h := github("push", strings.Repeat("d", 900_000), body, "new secret")
		res := httptest.NewRecorder()
		s.receiver(0).ServeHTTP(res, request(t, "portal", h, bytes.NewReader(body), int64(len(body))))
		if res.Code != 202 {
			t.Errorf("%d %s", res.Code, res.Body)
		}
	}
	if len(s.pushes) != 1 || !strings.HasPrefix(s.pushes[0].Delivery, "sha256:") || len(s.pushes[0].Delivery) > 100 {
		t.Errorf("%+v", s.pushes)
	}
}
