package docker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"batuta/deployer"
	"batuta/deployer/docker"
)

// prober speaks with ServeProbes as a ship does.
type prober struct {
	in      *io.PipeWriter
	answers *json.Decoder
	ended   chan error
}

func serveProbes(t *testing.T) *prober {
	t.Helper()
	fromUs, toThem := io.Pipe()
	fromThem, toUs := io.Pipe()
	p := &prober{in: toThem, answers: json.NewDecoder(fromThem), ended: make(chan error, 1)}
	go func() {
		err := docker.ServeProbes(t.Context(), fromUs, toUs)
		p.ended <- err
		toUs.CloseWithError(io.EOF)
	}()
	t.Cleanup(func() { must(t, toThem.Close()) })
	return p
}

func (p *prober) ask(t *testing.T, id int, at string, c deployer.Check) {
	t.Helper()
	host, port, err := net.SplitHostPort(at)
	must(t, err)
	c.Port, err = strconv.Atoi(port)
	must(t, err)
	must(t, json.NewEncoder(p.in).Encode(map[string]any{"id": id, "host": host, "check": c}))
}

// answer is the next one.
func (p *prober) answer(t *testing.T) (id int, why string) {
	t.Helper()
	var a struct {
		ID    int
		Error string
	}
	must(t, p.answers.Decode(&a))
	return a.ID, a.Error
}

func TestPagesThatPassAndFail(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/broken", http.StatusFound)
		case "/broken":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/long":
			_, _ = io.WriteString(w, strings.Repeat(".", 1<<20)+"the end")
		default:
			_, _ = fmt.Fprintf(w, "%s %s %s?%s from %s", r.Method, r.Host, r.URL.Path, r.URL.RawQuery, r.UserAgent())
		}
	}))
	t.Cleanup(site.Close)
	p := serveProbes(t)
	for n, test := range []struct {
		check deployer.Check
		fails string // with this; empty: it passes
	}{
		{check: deployer.Check{Path: "/up"}},
		{check: deployer.Check{Path: "up", Match: "^GET .*/up"}},
		{check: deployer.Check{Path: "/up?deep=1", Match: `/up\?deep=1`}},
		{check: deployer.Check{Path: "/up", Host: "portal.example.edu", Match: "GET portal.example.edu /up"}},
		{check: deployer.Check{Path: "/up", Match: "from batuta-check$"}},
		{check: deployer.Check{Path: "/up", Match: "no such words"}, fails: "does not match no such words"},
		{check: deployer.Check{Path: "/up", Match: "("}, fails: "missing closing )"},
		{check: deployer.Check{Path: "/up", Method: "post", Match: "^POST "}},
		{check: deployer.Check{Path: "/up", Headers: map[string]string{"User-Agent": "monitor"}, Match: "from monitor$"}},
		{check: deployer.Check{Path: "/up", Headers: map[string]string{"Host": "header"}, Match: "GET header /up"}},
		{check: deployer.Check{Path: "/up", Host: "host", Headers: map[string]string{"Host": "header"}, Match: "GET host /up"}},
		{check: deployer.Check{Path: "/broken", Exactly: 503}},
		{check: deployer.Check{Path: "/moved", Exactly: 302}},
		{check: deployer.Check{Path: "/moved", Exactly: 200}, fails: "302 Found"},
		{check: deployer.Check{Path: "/up", Scheme: "https"}, fails: "HTTP response to HTTPS client"},
		{check: deployer.Check{Path: "/up", Method: "no method"}, fails: "invalid method"},
		{check: deployer.Check{Path: "/moved"}},
		{check: deployer.Check{Path: "/broken"}, fails: "503 Service Unavailable"},
		{check: deployer.Check{Path: "/long", Match: "the end"}, fails: "does not match"},
	} {
		test.check.Type, test.check.Timeout = deployer.CheckHTTP, patient
		p.ask(t, n, site.Listener.Addr().String(), test.check)
		id, why := p.answer(t)
		if id != n || (why == "") != (test.fails == "") || !strings.Contains(why, test.fails) {
			t.Errorf("%+v: %q; want %q", test.check, why, test.fails)
		}
	}
}

func TestPagesOverTLS(t *testing.T) {
	t.Parallel()
	site := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s by %s", r.Host, r.TLS.ServerName)
	}))
	site.Config.ErrorLog = log.New(io.Discard, "", 0) // clients hang up, as they should
	site.StartTLS()
	t.Cleanup(site.Close)
	p := serveProbes(t)
	for n, test := range []struct {
		check deployer.Check
		fails string
	}{
		{check: deployer.Check{Insecure: true}},
		{check: deployer.Check{Insecure: true, Host: "portal.example.edu:8443", Match: "^portal.example.edu:8443 by portal.example.edu$"}},
		{check: deployer.Check{Host: "portal.example.edu"}, fails: "certificate"},
		{check: deployer.Check{}, fails: "certificate"},
	} {
		test.check.Type, test.check.Scheme, test.check.Timeout = deployer.CheckHTTP, "https", patient
		p.ask(t, n, site.Listener.Addr().String(), test.check)
		if _, why := p.answer(t); (why == "") != (test.fails == "") || !strings.Contains(why, test.fails) {
			t.Errorf("%+v: %q; want %q", test.check, why, test.fails)
		}
	}
}

func TestOneSilentTargetDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // it accepts, and says nothing
	must(t, err)
	t.Cleanup(func() { must(t, silent.Close()) })
	site := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(site.Close)

	p := serveProbes(t)
	p.ask(t, 1, silent.Addr().String(), deployer.Check{Type: deployer.CheckHTTP, Timeout: time.Hour})
	p.ask(t, 2, site.Listener.Addr().String(), tcp(0))
	if id, why := p.answer(t); id != 2 || why != "" {
		t.Errorf("answer %d: %q", id, why)
	}
	p.ask(t, 3, silent.Addr().String(), deployer.Check{Type: deployer.CheckHTTP, Timeout: time.Millisecond})
	if id, why := p.answer(t); id != 3 || why != "no answer in time" {
		t.Errorf("answer %d: %q", id, why)
	}
	must(t, p.in.Close()) // the first is still under way
	_, err = io.Copy(io.Discard, p.answers.Buffered())
	must(t, err)
	for p.answers.More() {
		p.answer(t)
	}
	must(t, <-p.ended)
}

func TestConnectionRefusedIsSaidPlainly(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	at, err := url.Parse(gone.URL)
	must(t, err)
	gone.Close()
	p := serveProbes(t)
	for n, kind := range []deployer.CheckType{deployer.CheckTCP, deployer.CheckHTTP} {
		p.ask(t, n, at.Host, deployer.Check{Type: kind, Timeout: patient})
		if _, why := p.answer(t); why != "connection refused" {
			t.Errorf("%s: %q", kind, why)
		}
	}
}

func TestWhatIsNoQuestionEndsTheServing(t *testing.T) {
	t.Parallel()
	if err := docker.ServeProbes(t.Context(), strings.NewReader("hello\n"), io.Discard); err == nil {
		t.Error("no error")
	}
	site := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(site.Close)
	broken := errors.New("nobody listens")
	in, ask := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- docker.ServeProbes(context.Background(), in, failing{broken}) }()
	p := &prober{in: ask}
	p.ask(t, 1, site.Listener.Addr().String(), tcp(0))
	lastWords := make(chan error, 1)
	go func() { // questions go on until the serving has noticed
		var err error
		for err == nil {
			_, err = io.WriteString(ask, "{}\n")
		}
		lastWords <- err
	}()
	if err := <-ended; !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	must(t, in.Close())
	<-lastWords
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
