package docker_test

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// onBothWays runs a test where a container's network is entered, and where a
// probe container is needed.
func onBothWays(t *testing.T, test func(*testing.T, *bench)) {
	at := lab.Ships(t, 1)[0]
	for name, endpoint := range map[string]string{"from inside": at.Endpoint, "from a probe container": at.TCP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, benchOn(t, at, endpoint))
		})
	}
}

// waits serves once it is told to.
const waits = "until [ -e /go ]; do sleep 0.05; done; " + serves

var goAhead = deployer.Check{Type: deployer.CheckExec, Command: []string{"touch", "/go"}, Timeout: patient}

func TestPublishedPortDoesNotFoolACheck(t *testing.T) {
	t.Parallel()
	here := lab.Ship{Name: "here", Address: "127.0.0.1", Endpoint: lab.Docker(t)}
	b := benchOn(t, here, here.Endpoint)
	id := b.run(t, b.instance(waits, published))
	port := strconv.Itoa(b.only(t).Ports[0].Host)
	lab.Wait(t, patient, func() error { // docker-proxy takes connections for nobody
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort(here.Address, port))
		return errors.Join(err, closeIt(conn))
	})
	for _, c := range []deployer.Check{tcp(8080), page("/up")} {
		if err := b.Probe(t.Context(), id, c); !errors.Is(err, batuta.Unhealthy) || err.Error() != "connection refused" {
			t.Errorf("%s: %v; want connection refused", c, err)
		}
	}
	must(t, b.Probe(t.Context(), id, goAhead))
	b.passes(t, id, tcp(8080))
	b.passes(t, id, page("/up"))
}

func closeIt(conn net.Conn) error {
	if conn == nil {
		return nil
	}
	return conn.Close()
}

func TestCheckFailsUntilTheApplicationListens(t *testing.T) {
	t.Parallel()
	onBothWays(t, func(t *testing.T, b *bench) {
		id := b.run(t, b.instance(waits, published))
		if err := b.Probe(t.Context(), id, tcp(8080)); !errors.Is(err, batuta.Unhealthy) {
			t.Errorf("a port that nothing listens on: %v", err)
		}
		must(t, b.Probe(t.Context(), id, goAhead))
		b.passes(t, id, page("/up"))
	})
}

func TestApplicationOnLoopbackIsNotReady(t *testing.T) {
	t.Parallel()
	onBothWays(t, func(t *testing.T, b *bench) {
		id := b.run(t, b.instance("mkdir /www; echo hidden >/www/up; exec httpd -f -p 127.0.0.1:8080 -h /www", published))
		b.passes(t, id, deployer.Check{Type: deployer.CheckExec, Timeout: patient, Command: []string{"wget", "-q", "-O", "-", "http://127.0.0.1:8080/up"}})
		for _, c := range []deployer.Check{tcp(8080), page("/up")} {
			if err := b.Probe(t.Context(), id, c); !errors.Is(err, batuta.Unhealthy) {
				t.Errorf("%s: %v", c, err)
			}
		}
	})
}

func TestSameAddressOnAnotherShipIsNotTaken(t *testing.T) {
	t.Parallel()
	ships := lab.Ships(t, 2)
	for _, way := range []func(lab.Ship) string{
		func(s lab.Ship) string { return s.Endpoint },
		func(s lab.Ship) string { return s.TCP },
	} {
		listens, silent := benchOn(t, ships[0], way(ships[0])), benchOn(t, ships[1], way(ships[1]))
		silent.scope = listens.scope
		yes, no := listens.run(t, listens.instance(serves)), silent.run(t, silent.instance(sleeps))
		listens.passes(t, yes, page("/up"))
		if err := silent.Probe(t.Context(), no, page("/up")); !errors.Is(err, batuta.Unhealthy) {
			t.Errorf("a container that listens to nothing: %v", err)
		}
	}
}

func TestExecCheckTellsWhatItPrinted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.run(t, b.instance(sleeps))
	check := func(script string) error {
		c := deployer.Check{Type: deployer.CheckExec, Command: []string{"sh", "-c", script}, Timeout: time.Second}
		return b.Probe(t.Context(), id, c)
	}
	if err := check("echo no database; echo at all >&2; exit 4"); !errors.Is(err, batuta.Unhealthy) ||
		!strings.HasPrefix(err.Error(), "exited 4: ") || !strings.Contains(err.Error(), "no database") || !strings.Contains(err.Error(), "at all") {
		t.Errorf("got %v", err)
	}
	if err := check("sleep 30"); !errors.Is(err, batuta.Unhealthy) || !strings.Contains(err.Error(), "in time") {
		t.Errorf("one that does not end: %v", err)
	}
	must(t, check("true"))
	missing := deployer.Check{Type: deployer.CheckExec, Command: []string{"/no/such/program"}, Timeout: patient}
	if err := b.Probe(t.Context(), id, missing); !errors.Is(err, batuta.Unhealthy) || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("a program that is missing: %v", err)
	}
}

func TestCheckOfWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.run(t, b.instance("exit 1"))
	_, err := b.Wait(t.Context(), id)
	must(t, err)
	checks := []deployer.Check{tcp(8080), page("/"), goAhead}
	for _, c := range checks {
		if err := b.Probe(t.Context(), id, c); !errors.Is(err, batuta.Unhealthy) || !strings.Contains(err.Error(), "does not run") {
			t.Errorf("%s of one that ended: %v", c, err)
		}
	}
	must(t, b.Remove(t.Context(), id))
	for _, c := range checks {
		if err := b.Probe(t.Context(), id, c); !errors.Is(err, batuta.NotFound) {
			t.Errorf("%s of one that is gone: %v", c, err)
		}
	}
	if err := b.Probe(t.Context(), id, deployer.Check{Type: "udp"}); !errors.Is(err, batuta.Invalid) {
		t.Errorf("a check of no known type: %v", err)
	}
}

func TestManyChecksAtOnce(t *testing.T) {
	t.Parallel()
	onBothWays(t, func(t *testing.T, b *bench) {
		id := b.run(t, b.instance(serves))
		b.passes(t, id, tcp(8080))
		answers := make(chan error)
		for n := range 40 {
			go func() {
				if n%2 == 0 {
					answers <- b.Probe(t.Context(), id, page("/up"))
				} else if err := b.Probe(t.Context(), id, page(fmt.Sprintf("/%d", n))); err == nil || !strings.Contains(err.Error(), "404") {
					answers <- fmt.Errorf("page %d: %w", n, err)
				} else {
					answers <- nil
				}
			}()
		}
		for range 40 {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestProbeContainerIsOnlyForWhatIsElsewhere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.run(t, b.instance(serves))
	b.passes(t, id, tcp(8080))
	must(t, dial(t, b.at.Name, b.at.Endpoint, docker.Options{}).Probe(t.Context(), id, tcp(8080)))
	err := dial(t, b.at.Name, b.at.TCP, docker.Options{}).Probe(t.Context(), id, tcp(8080))
	if !errors.Is(err, batuta.Invalid) || !strings.Contains(err.Error(), "no image of Batuta") {
		t.Errorf("over TCP, without a runtime image: %v", err)
	}
}

// sendsOn redirects to itself by two names, and to what is not there, and has
// a page that is found behind a 503.
const sendsOn = `mkdir -p /www/cgi-bin /www/dir; echo arrived >/www/dir/index.html; cd /www/cgi-bin
say() { printf '#!/bin/sh\nprintf "Status: %s\\r\\n%s\\r\\n\\r\\n%s"\n' "$2" "$3" "$4" >$1; chmod +x $1; }
say named "302 Found" "Location: http://portal.example.edu:81/dir/"
say away "302 Found" "Location: http://127.0.0.1:9/"
say round "302 Found" "Location: /cgi-bin/round"
say busy "503 Busy" "X-A: b" "busy, and alive"
exec httpd -f -p 8080 -h /www`

func TestCheckFollowsRedirectsIfToldTo(t *testing.T) {
	t.Parallel()
	onBothWays(t, func(t *testing.T, b *bench) {
		id := b.run(t, b.instance(sendsOn))
		b.passes(t, id, page("/dir/"))
		for path, want := range map[string]string{ // empty: it passes
			"/dir": "", "/cgi-bin/named": "", "/cgi-bin/away": "connection refused", "/cgi-bin/round": "sent on 30 times", "/cgi-bin/busy": "503",
		} {
			c := page(path)
			c.Host, c.Exactly, c.Follow, c.Timeout = "portal.example.edu:81", 200, true, patient
			if err := b.Probe(t.Context(), id, c); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q", path, err, want)
			}
			c.Follow = false
			if err := b.Probe(t.Context(), id, c); err == nil {
				t.Errorf("%s passes with 200 where it is not followed", path)
			}
		}
		c := page("/cgi-bin/busy")
		c.Any, c.Match = true, "and alive"
		must(t, b.Probe(t.Context(), id, c))
		c.Match = "and kicking"
		if err := b.Probe(t.Context(), id, c); err == nil {
			t.Error("a page that does not match passes")
		}
	})
}

func TestCheckThatCannotBeMadeIsSaidToBeSo(t *testing.T) {
	t.Parallel()
	at := lab.Ships(t, 1)[0]
	b := benchOn(t, at, at.TCP)
	id := b.run(t, b.instance(serves))
	blind := dial(t, at.Name, at.TCP, docker.Options{})
	err := blind.Probe(t.Context(), id, page("/up"))
	if e, ok := errors.AsType[*batuta.Error](err); !ok || !errors.Is(err, batuta.Invalid) || e.Hint == "" {
		t.Errorf("without an image of Batuta's own: %v", err)
	}
}
