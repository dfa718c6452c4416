package webhooks_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"batuta/webhooks"
)

// paced is what a receiver with a pace of three a minute answers to a delivery
// from an address.
func paced(s *server) func(from, app, forwarded, secret string) *httptest.ResponseRecorder {
	receiver := webhooks.New(webhooks.Config{
		Apps: s, Inbox: s, Forges: forges(), Audit: s.audit,
		Pace: webhooks.Pace{Deliveries: 3, Per: time.Minute}, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	})
	return func(from, app, forwarded, secret string) *httptest.ResponseRecorder {
		body := []byte("{}")
		r := httptest.NewRequest(http.MethodPost, "/webhooks/"+app, &unread{Reader: bytes.NewReader(body)})
		r.RemoteAddr = from
		for name, value := range github("star", "d-1", body, secret) {
			r.Header.Set(name, value)
		}
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		w := httptest.NewRecorder()
		receiver.ServeHTTP(unhurried{w}, r)
		if read := r.Body.(*unread).read; read == (w.Code == http.StatusTooManyRequests) {
			panic(fmt.Sprintf("answered %d, and the body is read: %v", w.Code, read))
		}
		return w
	}
}

// unread tells whether a body was read.
type unread struct {
	*bytes.Reader
	read bool
}

func (u *unread) Read(p []byte) (int, error) { u.read = true; return u.Reader.Read(p) }
func (u *unread) Close() error               { return nil }

// unhurried takes the receiver's unhurried, as a connection does.
type unhurried struct{ *httptest.ResponseRecorder }

func (unhurried) SetReadDeadline(time.Time) error { return nil }

// Whoever sends too much hears when to come back, before anything is read; it
// leaves no trace, and others are not held up.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		send := paced(s)
		for n, want := range []int{401, 401, 401, 429, 429} {
			if w := send("192.0.2.7:1", "portal", "", "wrong"); w.Code != want {
				t.Errorf("delivery %d: %d, want %d", n, w.Code, want)
			} else if want == 429 && w.Header().Get("Retry-After") != "20" {
				t.Errorf("Retry-After: %q", w.Header().Get("Retry-After"))
			}
		}
		if len(s.refusals) != 3 || len(s.log) != 0 {
			t.Errorf("%d refusals are audited and %d deliveries kept", len(s.refusals), len(s.log))
		}
		if w := send("192.0.2.7:2", "open", "", "wrong"); w.Code != 401 {
			t.Errorf("another app: %d", w.Code)
		}
		if w := send("192.0.2.8:1", "portal", "", "new secret"); w.Code != 200 {
			t.Errorf("another address: %d", w.Code)
		}
		time.Sleep(20 * time.Second)
		if w := send("192.0.2.7:3", "portal", "", "new secret"); w.Code != 200 {
			t.Errorf("after the wait: %d", w.Code)
		}
	})
}

// The addresses of one IPv6 network are one sender, all apps that do not exist
// are one app, and only a proxy that is trusted says whom it speaks for.
func TestWhoseTurn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from, app, forwarded func(n int) string
		limited              bool
	}{
		"one network of IPv6":      {from: func(n int) string { return fmt.Sprintf("[2001:db8::%x]:1", n+1) }, limited: true},
		"apps that do not exist":   {app: func(n int) string { return fmt.Sprint("nothing-", n) }, limited: true},
		"a stranger who forwards":  {forwarded: func(n int) string { return fmt.Sprintf("198.51.100.%d", n) }, limited: true},
		"a proxy for many":         {from: func(int) string { return "10.1.1.1:1" }, forwarded: func(n int) string { return fmt.Sprintf("203.0.113.9, 198.51.100.%d", n) }},
		"a proxy for one who lies": {from: func(int) string { return "10.1.1.1:1" }, forwarded: func(n int) string { return fmt.Sprintf("203.0.113.%d, 198.51.100.9, 10.2.2.2", n) }, limited: true},
	} {
		send := paced(&server{})
		or := func(f func(int) string, n int, other string) string {
			if f == nil {
				return other
			}
			return f(n)
		}
		last := 0
		for n := range 4 {
			last = send(or(c.from, n, "192.0.2.7:1"), or(c.app, n, "portal"), or(c.forwarded, n, ""), "wrong").Code
		}
		if (last == 429) != c.limited {
			t.Errorf("%s: the fourth is answered %d", name, last)
		}
	}
}
