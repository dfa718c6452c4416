package docker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"batuta"
	"batuta/deployer"
	"batuta/internal/lab"
)

func TestPortsThatDockerPickedAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	fixed := lab.FreePort(t, lab.Machine)
	id := b.run(t, b.instance(serves, published, func(i *deployer.Instance) {
		i.Ports = append(i.Ports, deployer.Port{Container: 8080, Host: fixed, Protocol: "tcp", Address: b.at.Address}, deployer.Port{Container: 53, Protocol: "udp"})
	}))
	b.passes(t, id, tcp(8080))
	ports := b.only(t).Ports
	if len(ports) != 3 {
		t.Fatalf("ports: %+v", ports)
	}
	for _, p := range ports {
		if p.Host == 0 || p.Protocol == "udp" {
			continue
		}
		at := net.JoinHostPort(b.at.Address, strconv.Itoa(p.Host))
		lab.Wait(t, patient, func() error {
			resp, err := http.Get("http://" + at + "/up")
			if err != nil {
				return err
			}
			body, err := io.ReadAll(resp.Body)
			return errors.Join(err, resp.Body.Close(), sayUnless(string(body) == "all is well\n", "%q", body))
		})
	}
	if !slices.ContainsFunc(ports, func(p deployer.Port) bool { return p.Host == fixed && p.Address == b.at.Address }) {
		t.Errorf("the fixed port is not told: %+v", ports)
	}
	must(t, b.Stop(t.Context(), id, 0))
	for _, p := range b.only(t).Ports {
		if p.Host != 0 && p.Host != fixed {
			t.Errorf("a port that Docker picked for what no longer runs: %+v", p)
		}
	}
}

func sayUnless(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func TestPortThatIsTaken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	port := lab.FreePort(t, lab.Machine)
	fixed := func(i *deployer.Instance) {
		i.Ports = []deployer.Port{{Container: 8080, Host: port, Protocol: "tcp"}}
	}
	b.run(t, b.instance(sleeps, fixed))
	second := b.create(t, b.instance(sleeps, fixed))
	if err := b.Start(t.Context(), second); !errors.Is(err, batuta.Conflict) || !strings.Contains(err.Error(), strconv.Itoa(port)) {
		t.Errorf("got %v", err)
	}
}

func TestPortOfARange(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := lab.FreePort(t, lab.Machine)
	ranged := func(i *deployer.Instance) {
		i.Ports = []deployer.Port{{Container: 8080, Host: first, HostEnd: first + 9, Protocol: "tcp"}}
	}
	b.run(t, b.instance(sleeps, ranged))
	b.run(t, b.instance(sleeps, ranged))
	all, err := b.Containers(t.Context(), b.scope)
	must(t, err)
	one, two := all[0].Ports[0].Host, all[1].Ports[0].Host
	if one == two || min(one, two) < first || max(one, two) > first+9 {
		t.Errorf("ports %d and %d; want two from %d on", one, two, first)
	}
}

func TestWaitSeesACrashBehindARestart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create(t, b.instance("until [ -e /go ]; do sleep 0.05; done; exit 9", func(i *deployer.Instance) { i.Restart = "always" }))
	must(t, b.Start(t.Context(), id))
	type end struct {
		exit deployer.Exit
		err  error
	}
	ended := make(chan end, 1)
	go func() {
		exit, err := b.Wait(t.Context(), id)
		ended <- end{exit, err}
	}()
	must(t, b.Probe(t.Context(), id, goAhead))
	if e := <-ended; e.err != nil || e.exit.Code != 9 {
		t.Errorf("got %+v", e)
	}
	must(t, b.Remove(t.Context(), id))
}

func TestWaitForWhatIsRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.run(t, b.instance(sleeps))
	ended := make(chan error, 1)
	go func() { _, err := b.Wait(t.Context(), id); ended <- err }()
	removed := make(chan error, 2)
	for range 2 { // both see it gone
		go func() { removed <- b.Remove(t.Context(), id) }()
	}
	must(t, errors.Join(<-removed, <-removed, <-ended))
	if _, err := b.Wait(t.Context(), id); !errors.Is(err, batuta.NotFound) {
		t.Errorf("what is gone: %v", err)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.run(t, b.instance(`echo early; printf 'crlf\r\n'; head -c 100000 /dev/zero | tr '\0' x; echo; printf 'bad \377 byte\nno end'`))
	_, err := b.Wait(t.Context(), id)
	must(t, err)
	want := []string{"crlf", strings.Repeat("x", 4<<10) + "…", "bad \uFFFD byte", "no end"}
	lab.Wait(t, patient, func() error { // the log may be a moment behind
		lines, err := b.Tail(t.Context(), id, 100)
		return errors.Join(err, sayUnless(len(lines) == 5 && slices.Equal(lines[1:], want), "%d lines: %.60q", len(lines), lines))
	})
	lines, err := b.Tail(t.Context(), id, 2)
	if must(t, err); !slices.Equal(lines, want[2:]) {
		t.Errorf("the last two: %q", lines)
	}
	if lines, err = b.Tail(t.Context(), id, 0); err != nil || len(lines) != 0 {
		t.Errorf("none: %q, %v", lines, err)
	}
}

func TestTerminalIsReadAsItIs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	engine := raw(t, b.at.Endpoint)
	made, err := engine.ContainerCreate(t.Context(), &container.Config{Image: b.image.String(), Tty: true, Cmd: []string{"/bin/busybox", "echo", "ahoy"}}, nil, nil, nil, "")
	must(t, err)
	t.Cleanup(func() { must(t, b.Remove(context.WithoutCancel(t.Context()), made.ID)) })
	must(t, b.Start(t.Context(), made.ID))
	_, err = b.Wait(t.Context(), made.ID)
	must(t, err)
	var out strings.Builder
	must(t, b.Logs(t.Context(), made.ID, -1, false, &out))
	lines, err := b.Tail(t.Context(), made.ID, 5)
	if out.String() != "ahoy\r\n" || err != nil || !slices.Equal(lines, []string{"ahoy"}) {
		t.Errorf("it printed %q, %q, %v", out.String(), lines, err)
	}
}
