package docker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// raw is the Engine as it is.
func raw(t *testing.T, endpoint string) *client.Client {
	t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(endpoint), client.WithAPIVersionNegotiation())
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

// probes tells an error unless there are that many probe containers.
func probes(t *testing.T, engine *client.Client, want int) error {
	t.Helper()
	list, err := engine.ContainerList(t.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "batuta.role=probe"))})
	if err == nil && len(list) != want {
		err = fmt.Errorf("%d probe containers; want %d", len(list), want)
	}
	return err
}

// The first network of a ship takes no longer than Docker needs; those after
// it share a range.
func TestOnlyTheFirstNetworkIsLarge(t *testing.T) {
	t.Parallel()
	at := lab.OwnShips(t, 1)[0]
	engine := raw(t, at.Endpoint)
	var pools []string
	for n, want := range []string{"", "/24", "/24"} {
		b := benchOn(t, at, at.Endpoint)
		_, err := b.Create(t.Context(), b.scope, 7, b.instance(sleeps))
		must(t, err)
		found := b.networks(t, engine)
		if len(found) != 1 || len(found[0].IPAM.Config) != 1 || !strings.HasSuffix(found[0].IPAM.Config[0].Subnet, want) {
			t.Fatalf("network %d: %+v", n+1, found)
		}
		pools = append(pools, found[0].Labels["batuta.pool"])
	}
	if pools[0] != "" || pools[1] == "" || pools[1] != pools[2] {
		t.Errorf("their ranges: %q", pools)
	}
	all, err := engine.NetworkList(t.Context(), network.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "batuta.role=pool"))})
	if err != nil || len(all) != 0 {
		t.Errorf("the search for a range left %v, %v", all, err)
	}
}

func TestProbeContainerLeavesNothing(t *testing.T) {
	t.Parallel()
	at := lab.OwnShips(t, 1)[0]
	engine := raw(t, at.Endpoint)
	runtime := newRuntime(t)
	b := benchOn(t, at, at.TCP)
	id := b.run(t, b.instance(serves))

	b.passes(t, id, tcp(8080))
	must(t, b.Probe(t.Context(), id, page("/up")))
	must(t, probes(t, engine, 1))
	must(t, b.Close())
	lab.Wait(t, patient, func() error { return probes(t, engine, 0) })
	if err := b.Probe(t.Context(), id, tcp(8080)); !errors.Is(err, batuta.Unavailable) {
		t.Errorf("a check after Close: %v", err)
	}

	hasty := dial(t, at.Name, at.TCP, docker.Options{Runtime: runtime, ProbeIdle: time.Millisecond})
	must(t, hasty.Probe(t.Context(), id, tcp(8080)))
	lab.Wait(t, patient, func() error { return probes(t, engine, 0) })
	must(t, hasty.Probe(t.Context(), id, tcp(8080))) // another one is started
	lab.Wait(t, patient, func() error { return probes(t, engine, 0) })

	killed := startChild(t, fmt.Sprintf("%s %s %s", at.TCP, id, runtime.name))
	must(t, probes(t, engine, 1))
	must(t, killed.Process.Kill())
	_ = killed.Wait() // it was killed
	lab.Wait(t, patient, func() error { return probes(t, engine, 0) })
}

// startChild starts this program as one that has checked a container.
func startChild(t *testing.T, job string) *exec.Cmd {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childOf+"="+job)
	_, err := child.StdinPipe()
	must(t, err)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || said != "probed\n" {
		t.Fatalf("the child said %q (%v)", said, err)
	}
	return child
}

func TestProbeContainerIsReplacedWhenItWasKilled(t *testing.T) {
	t.Parallel()
	at := lab.OwnShips(t, 1)[0]
	engine := raw(t, at.Endpoint)
	b := benchOn(t, at, at.TCP)
	id := b.run(t, b.instance(serves))
	b.passes(t, id, tcp(8080))
	list, err := engine.ContainerList(t.Context(), container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "batuta.role=probe"))})
	must(t, err)
	must(t, engine.ContainerKill(t.Context(), list[0].ID, "KILL"))
	b.passes(t, id, tcp(8080))
	must(t, probes(t, engine, 1))
}

func TestFrozenShipIsUnavailable(t *testing.T) {
	t.Parallel()
	at := lab.OwnShips(t, 1)[0]
	b := benchOn(t, at, at.TCP)
	id := b.run(t, b.instance(serves))
	b.passes(t, id, tcp(8080))
	must(t, at.Freeze(t.Context()))
	t.Cleanup(func() { must(t, at.Thaw(context.WithoutCancel(t.Context()))) })
	known, fresh := b.Ship, dial(t, at.Name, at.Endpoint, docker.Options{})
	for _, ship := range []*docker.Ship{known, fresh} {
		for name, call := range calls(ship, b, id) {
			soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			err := call(soon)
			cancel()
			if !errors.Is(err, batuta.Unavailable) || !strings.Contains(err.Error(), "ship "+string(at.Name)) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	forever, cancel := context.WithCancel(t.Context())
	stuck := make(chan error)
	go func() { _, err := fresh.Facts(forever); stuck <- err }() // who waits long holds up nobody
	soon, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if _, err := fresh.Facts(soon); !errors.Is(err, batuta.Unavailable) {
		t.Errorf("beside one that waits: %v", err)
	}
	cancel()
	if err := <-stuck; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// calls are all methods of a ship that reach it.
func calls(s *docker.Ship, b *bench, id string) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Facts":      func(ctx context.Context) error { _, err := s.Facts(ctx); return err },
		"Containers": func(ctx context.Context) error { _, err := s.Containers(ctx, b.scope); return err },
		"Pull":       func(ctx context.Context) error { return s.Pull(ctx, b.image) },
		"Create": func(ctx context.Context) error {
			_, err := s.Create(ctx, b.scope, 7, b.instance(sleeps))
			return err
		},
		"Start": func(ctx context.Context) error { return s.Start(ctx, id) },
		"Stop":  func(ctx context.Context) error { return s.Stop(ctx, id, time.Second) },
		"Kill":  func(ctx context.Context) error { return s.Kill(ctx, id) },
		"Prune": func(ctx context.Context) error {
			_, err := s.Prune(ctx, []string{b.image.Repository}, []batuta.Image{b.image})
			return err
		},
		"Lock":   func(ctx context.Context) error { _, err := s.Lock(ctx, b.scope, "ada", time.Minute); return err },
		"Unlock": func(ctx context.Context) error { return s.Unlock(ctx, b.scope, "ada") },
		"Begin": func(ctx context.Context) error {
			_, err := s.Begin(ctx, b.scope, deployer.Note{Change: "run 12"})
			return err
		},
		"End":           func(ctx context.Context) error { return s.End(ctx, b.scope) },
		"Remove":        func(ctx context.Context) error { return s.Remove(ctx, id) },
		"RemoveNetwork": func(ctx context.Context) error { return s.RemoveNetwork(ctx, b.scope) },
		"Wait":          func(ctx context.Context) error { _, err := s.Wait(ctx, id); return err },
		"Tail":          func(ctx context.Context) error { _, err := s.Tail(ctx, id, 1); return err },
		"Probe tcp":     func(ctx context.Context) error { return s.Probe(ctx, id, tcp(8080)) },
	}
}

func TestUnreachableShip(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	nobody := net.JoinHostPort("127.0.0.1", fmt.Sprint(lab.FreePort(t, "127.0.0.1")))
	for _, endpoint := range []string{"unix:///nowhere/docker.sock", "tcp://" + nobody} {
		ship := dial(t, "atlantis", endpoint, docker.Options{})
		for name, call := range calls(ship, b, "0123") {
			if err := call(t.Context()); !errors.Is(err, batuta.Unavailable) || !strings.Contains(err.Error(), "ship atlantis does not answer") {
				t.Errorf("%s at %s: %v", name, endpoint, err)
			}
		}
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{
		"", "docker.sock", "/var/run/docker.sock", "unix://docker.sock", "unix://", "tcp://host", "tcp://:2375",
		"tcp://host:2375/api", "ssh://", "ssh://root:secret@host", "http://host:80", "tcp://host:port",
	} {
		if _, err := docker.Dial("node1", endpoint, docker.Options{}); !errors.Is(err, batuta.Invalid) {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
	var _ deployer.Ship = dial(t, "node1", "tcp://node1.example.edu:2375", docker.Options{}) // not reached before it is needed
}
