package deployer_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
)

// TestChecksThatRunHere starts an instance whose checks look from here.
func TestChecksThatRunHere(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
			return
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(r.Method + " " + r.Host + " " + r.Header.Get("X-Key")))
	}))
	t.Cleanup(web.Close)
	at, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "env")
	for name, c := range map[string]struct {
		deployer.Check
		want string // empty: it passes
	}{
		"local":         {deployer.Check{Type: deployer.CheckLocal, Command: []string{"sh", "-c", `test "$FOO" = bar`}}, ""},
		"local, stdin":  {deployer.Check{Type: deployer.CheckLocal, Stdin: true, Command: []string{"sh", "-c", `cat >` + out + `; test -z "$FOO"`}}, ""},
		"local, failed": {deployer.Check{Type: deployer.CheckLocal, Command: []string{"sh", "-c", "echo not yet; exit 3"}}, "exit status 3: not yet"},
		"sleep":         {deployer.Check{Type: deployer.CheckSleep, Wait: time.Millisecond}, ""},
		"tcp":           {deployer.Check{Type: deployer.CheckTCP, Outside: at.Hostname(), Port: port}, ""},
		"http":          {deployer.Check{Type: deployer.CheckHTTP, Outside: at.Hostname(), Port: port, Host: "portal.example.edu", Headers: map[string]string{"X-Key": "k"}, Match: "GET portal.example.edu k", Exactly: 200}, ""},
		"http, status":  {deployer.Check{Type: deployer.CheckHTTP, Outside: at.Hostname(), Port: port, Exactly: 201}, "200 OK"},
		"http, moved":   {deployer.Check{Type: deployer.CheckHTTP, Outside: at.Hostname(), Port: port, Path: "/moved", Exactly: 200}, "302 Found"},
		"http, follow":  {deployer.Check{Type: deployer.CheckHTTP, Outside: at.Hostname(), Port: port, Path: "/moved", Exactly: 200, Follow: true}, ""},
		"http, any":     {deployer.Check{Type: deployer.CheckHTTP, Outside: at.Hostname(), Port: port, Path: "/busy", Any: true, Match: "GET"}, ""},
		"http, busy":    {deployer.Check{Type: deployer.CheckHTTP, Outside: at.Hostname(), Port: port, Path: "/busy", Match: "GET"}, "503"},
		"http, body":    {deployer.Check{Type: deployer.CheckHTTP, Outside: at.Hostname(), Port: port, Match: "nothing"}, "does not match nothing"},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // what one of them writes is read below
			s := newStage(t, "web: web-1@a")
			c.MaxWait, c.Timeout, c.Interval = 5*time.Second, 5*time.Second, time.Millisecond
			if c.want != "" {
				c.MaxWait = 300 * time.Millisecond
			}
			s.change("web-1", func(i *deployer.Instance) {
				i.Env, i.Checks = []deployer.Variable{{Name: "FOO", Value: "bar"}}, []deployer.Check{c.Check}
			})
			_, err := s.play(t, deployer.Order{Verb: deployer.PlayStart})
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, batuta.Unhealthy) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
	if text, err := os.ReadFile(out); err != nil || string(text) != `{"FOO":"bar"}` {
		t.Errorf("stdin: %v: %s", err, text)
	}
}

// TestACheckThatCannotBeMadeIsNotWaitedFor: it would be no better in an hour.
func TestACheckThatCannotBeMadeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a")
		s.change("web-1", func(i *deployer.Instance) {
			i.Checks = []deployer.Check{{Type: deployer.CheckHealth, MaxWait: time.Hour, Timeout: time.Second, Interval: time.Second}}
		})
		began := time.Now()
		_, err := s.play(t, deployer.Order{Verb: deployer.PlayStart})
		if err == nil || !strings.Contains(err.Error(), "no health check of Docker's") {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took > 10*time.Second || len(s.running()) > 0 {
			t.Errorf("after %s; running: %v", took, s.running())
		}
	})
}
