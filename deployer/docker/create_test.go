package docker_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
)

// networks are those of the bench's scope.
func (b *bench) networks(t *testing.T, engine *client.Client) []network.Summary {
	t.Helper()
	found, err := engine.NetworkList(t.Context(), network.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", "batuta.app="+string(b.scope.App)), filters.Arg("label", "batuta.environment="+string(b.scope.Environment)))})
	must(t, err)
	return found
}

func TestContainerIsMadeAsDeclared(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	engine := raw(t, b.at.Endpoint)
	dir := filepath.Join(t.TempDir(), "made by Docker")
	i := b.instance(sleeps, published, func(i *deployer.Instance) {
		i.Env = []deployer.Variable{{Name: "COLOUR", Value: "blue = sky"}}
		i.Volumes = []deployer.Volume{{Source: dir, Target: "/files"}, {Source: string(b.scope.Environment), Target: "/data", ReadOnly: true}}
		i.Restart, i.Spec = "on-failure:3", `{"name":"web-1"}`
	})
	id := b.run(t, i)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		must(t, b.Remove(ctx, id))
		must(t, engine.VolumeRemove(ctx, string(b.scope.Environment), false))
	})
	found, err := engine.ContainerInspect(t.Context(), id)
	must(t, err)
	if want := fmt.Sprintf("/docker-%s-web-1-%s", b.scope.Environment, i.Config[:8]); found.Name != want || found.Config.Hostname != "web-1" {
		t.Errorf("it is called %s, %s; want %s", found.Name, found.Config.Hostname, want)
	}
	for key, want := range map[string]string{
		"app": "docker", "environment": string(b.scope.Environment), "service": "web", "instance": "web-1",
		"release": "7", "config": i.Config, "spec": i.Spec, "image": b.image.String(),
	} {
		if got := found.Config.Labels["batuta."+key]; got != want {
			t.Errorf("label %s = %q; want %q", key, got, want)
		}
	}
	if !slices.Contains(found.Config.Env, "COLOUR=blue = sky") || *found.Config.StopTimeout != 1 {
		t.Errorf("config: %+v", found.Config)
	}
	if p := found.HostConfig.RestartPolicy; p.Name != container.RestartPolicyOnFailure || p.MaximumRetryCount != 3 {
		t.Errorf("restart policy: %+v", p)
	}
	volume, err := engine.VolumeInspect(t.Context(), string(b.scope.Environment))
	must(t, err)
	if volume.Labels["batuta.app"] != "docker" {
		t.Errorf("the volume's labels: %v", volume.Labels)
	}
	writes := deployer.Check{Type: deployer.CheckExec, Timeout: patient, Command: []string{"sh", "-c", "touch /files/x && ! touch /data/x"}}
	must(t, b.Probe(t.Context(), id, writes))
}

func TestInstancesFindEachOtherByName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := b.run(t, b.instance(serves))
	b.passes(t, server, tcp(8080))
	client := b.run(t, b.instance(sleeps, named("other-1"), func(i *deployer.Instance) { i.Service = "other" }))
	for _, name := range []string{"web", "web-1"} {
		must(t, b.Probe(t.Context(), client, deployer.Check{
			Type: deployer.CheckExec, Timeout: patient, Command: []string{"wget", "-q", "-O", "-", "http://" + name + ":8080/up"},
		}))
	}
}

func TestEqualContainerIsTakenOrReplaced(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	i := b.instance(sleeps)
	id := b.create(t, i)
	if again := b.create(t, i); again != id {
		t.Errorf("one that never ran is not taken: %s, %s", id, again)
	}
	must(t, b.Start(t.Context(), id))
	if _, err := b.Create(t.Context(), b.scope, 8, i); !errors.Is(err, batuta.Conflict) {
		t.Errorf("beside one that runs: %v", err)
	}
	must(t, b.Stop(t.Context(), id, 0))
	if again := b.create(t, i); again == id {
		t.Error("one that ended is not replaced")
	}
	if c := b.only(t); c.State != "created" {
		t.Errorf("it is %s", c.State)
	}
}

func TestForeignContainerIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	engine := raw(t, b.at.Endpoint)
	i := b.instance(sleeps)
	name := fmt.Sprintf("docker-%s-web-1-%s", b.scope.Environment, i.Config[:8])
	foreign, err := engine.ContainerCreate(t.Context(), &container.Config{Image: b.image.String()}, nil, nil, nil, name)
	must(t, err)
	t.Cleanup(func() {
		must(t, engine.ContainerRemove(context.WithoutCancel(t.Context()), foreign.ID, container.RemoveOptions{}))
	})
	id := b.create(t, i)
	if c := b.only(t); c.ID != id || !strings.HasPrefix(c.Name, name+"-") {
		t.Errorf("it is called %s", c.Name)
	}
	if found, err := engine.ContainerInspect(t.Context(), name); err != nil || found.ID != foreign.ID {
		t.Errorf("it was touched: %v", err)
	}
}

func TestForeignContainerKeepsTheNameThatIsAskedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	engine := raw(t, b.at.Endpoint)
	i := b.instance(sleeps, func(i *deployer.Instance) { i.Called = "portal-" + string(b.scope.Environment) })
	foreign, err := engine.ContainerCreate(t.Context(), &container.Config{Image: b.image.String()}, nil, nil, nil, i.Called)
	must(t, err)
	t.Cleanup(func() {
		must(t, engine.ContainerRemove(context.WithoutCancel(t.Context()), foreign.ID, container.RemoveOptions{}))
	})
	id := b.create(t, i)
	if c := b.only(t); c.ID != id || c.Name != fmt.Sprintf("docker-%s-web-1-%s", b.scope.Environment, i.Config[:8]) {
		t.Errorf("it is called %s", c.Name)
	}
	if again := b.create(t, i); again != id {
		t.Errorf("one that never ran is not taken: %s, %s", id, again)
	}
	if found, err := engine.ContainerInspect(t.Context(), i.Called); err != nil || found.ID != foreign.ID {
		t.Errorf("the other was touched: %v", err)
	}
}

func TestScopesWhoseNamesAreAlikeStayApart(t *testing.T) {
	t.Parallel()
	one, two := newBench(t), newBench(t)
	rest := one.scope.Environment
	one.scope = deployer.Scope{App: "a", Environment: "b-" + rest}
	two.scope = deployer.Scope{App: "a-b", Environment: rest}
	i := one.instance(sleeps)
	if first, second := one.create(t, i), two.create(t, i); first == second {
		t.Error("two environments share a container")
	}
	one.only(t)
	two.only(t)
	engine := raw(t, one.at.Endpoint)
	if a, b := one.networks(t, engine), two.networks(t, engine); len(a) != 1 || len(b) != 1 || a[0].Name == b[0].Name {
		t.Errorf("networks %v and %v", a, b)
	}
}

func TestCreatesAtOnceShareOneSmallNetwork(t *testing.T) {
	t.Parallel()
	first := newBench(t) // whose network may be the ship's first, and large
	_, err := first.Create(t.Context(), first.scope, 7, first.instance(sleeps))
	must(t, err)
	b := newBench(t)
	other := dial(t, b.at.Name, b.at.TCP, docker.Options{}) // another server's
	done := make(chan error)
	for n := range 8 {
		ship := []*docker.Ship{b.Ship, other}[n%2]
		go func() {
			_, err := ship.Create(t.Context(), b.scope, 7, b.instance(sleeps, named(batuta.InstanceName(fmt.Sprintf("web-%d", n)))))
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	engine := raw(t, b.at.Endpoint)
	found := b.networks(t, engine)
	if len(found) != 1 || !strings.HasSuffix(found[0].IPAM.Config[0].Subnet, "/24") {
		t.Errorf("networks: %+v", found)
	}
	if err := b.RemoveNetwork(t.Context(), b.scope); err != nil || len(b.networks(t, engine)) != 1 {
		t.Errorf("a network that is needed was removed, or: %v", err)
	}
}

func TestWhatDockerDoesNotTake(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.Create(t.Context(), b.scope, 7, b.instance(sleeps, func(i *deployer.Instance) { i.Restart = "sometimes" })); !errors.Is(err, batuta.Invalid) {
		t.Errorf("restart policy: %v", err)
	}
	elsewhere := b.instance(sleeps, named("elsewhere"), func(i *deployer.Instance) { i.Platform = "linux/s390x" })
	if _, err := b.Create(t.Context(), b.scope, 7, elsewhere); !errors.Is(err, batuta.NotFound) {
		t.Errorf("an image for another machine: %v", err)
	}
	id := b.create(t, b.instance("", func(i *deployer.Instance) { i.Command = []string{"/no/such/program"} }))
	if err := b.Start(t.Context(), id); !errors.Is(err, batuta.Invalid) || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("a program that is missing: %v", err)
	}
	if exit, err := b.Wait(t.Context(), id); err != nil || !strings.Contains(exit.Error, "/no/such/program") {
		t.Errorf("its end: %+v, %v", exit, err)
	}
}
