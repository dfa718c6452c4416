package shiptest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
)

func life(t *testing.T, b *bench) {
	i := b.instance("a", serves(), published)
	i.Requires = []batuta.ServiceName{"cache", "db"}
	id := b.create(t, i)
	c := b.only(t)
	if c.ID != id || c.State != "created" || c.Created.IsZero() {
		t.Errorf("created: %+v", c)
	}
	if c.Scope != b.scope || c.Service != "web" || c.Instance != "web-1" || c.Ship != b.Name || c.Release != 7 {
		t.Errorf("whose it is: %+v", c)
	}
	if c.Config != i.Config || c.Spec != i.Spec || !slices.Equal(c.Requires, i.Requires) || c.Image != i.Image {
		t.Errorf("what it is: %+v", c)
	}
	if err := b.Ship.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	c = b.only(t)
	if c.State != "running" || c.Started.IsZero() || len(c.Ports) == 0 || c.Ports[0].Host == 0 || c.Ports[0].Container != 8080 {
		t.Errorf("started: %+v", c)
	}
	if err := b.Ship.Stop(t.Context(), id, time.Second); err != nil {
		t.Fatal(err)
	}
	if c = b.only(t); c.State != "exited" {
		t.Errorf("stopped: %+v", c)
	}
	if err := b.Ship.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if c = b.only(t); c.State != "running" {
		t.Errorf("started again: %+v", c)
	}
	if err := b.Ship.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if all, err := b.Ship.Containers(t.Context(), b.scope); err != nil || len(all) != 0 {
		t.Errorf("removed, and still there: %v, %v", all, err)
	}
}

func adopts(t *testing.T, b *bench) {
	i := b.instance("a", stubborn())
	if first, again := b.create(t, i), b.create(t, i); first != again {
		t.Errorf("create made %s, then %s", first, again)
	}
	b.only(t)
}

func sideBySide(t *testing.T, b *bench) {
	old := b.run(t, b.instance("a", stubborn()))
	next := b.run(t, b.instance("b", stubborn()))
	all, err := b.Ship.Containers(t.Context(), b.scope)
	if err != nil || len(all) != 2 || old == next {
		t.Errorf("containers = %v, %v; want two", all, err)
	}
}

func scopes(t *testing.T, b *bench) {
	b.create(t, b.instance("a", stubborn()))
	other := b.scope
	other.Environment += "x"
	if all, err := b.Ship.Containers(t.Context(), other); err != nil || len(all) != 0 {
		t.Errorf("another scope sees %v, %v", all, err)
	}
}

func called(t *testing.T, b *bench) {
	name := "db-" + string(b.scope.Environment)
	asked := func(i *deployer.Instance) { i.Called = name }
	old := b.instance("a", stubborn(), asked)
	first := b.run(t, old)
	if c := b.only(t); c.Name != name {
		t.Errorf("it is called %s; want %s", c.Name, name)
	}
	next := b.instance("b", stubborn(), asked)
	second := b.create(t, next)
	if err := b.Ship.Remove(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if again := b.create(t, next); again != second {
		t.Errorf("the name is free, and so there are two: %s, %s", second, again)
	}
	if c := b.only(t); c.Name == name {
		t.Errorf("two were called %s at a time", name)
	}
	third := b.create(t, old)
	stranger := &bench{b.Fixture, deployer.Scope{App: b.scope.App, Environment: b.scope.Environment + "x"}}
	fourth := stranger.create(t, old)
	defer func() {
		if err := errors.Join(b.Ship.Remove(t.Context(), fourth), b.Ship.RemoveNetwork(t.Context(), stranger.scope)); err != nil {
			t.Error(err)
		}
	}()
	if c := stranger.only(t); c.Name == name || c.ID == third {
		t.Errorf("another environment's container is taken: %+v", c)
	}
}

func madeAnew(t *testing.T, b *bench) {
	i := b.instance("a", stubborn())
	first := b.run(t, i)
	if _, err := b.Ship.Create(t.Context(), b.scope, 8, i); !errors.Is(err, batuta.Conflict) {
		t.Errorf("beside one that runs: %v", err)
	}
	if err := b.Ship.Stop(t.Context(), first, 0); err != nil {
		t.Fatal(err)
	}
	if again := b.create(t, i); again == first {
		t.Error("one that ended is taken as if it never ran")
	}
	if c := b.only(t); c.State != "created" {
		t.Errorf("it is %s", c.State)
	}
}

func byReference(t *testing.T, b *bench) {
	i := b.instance("a", stubborn(), func(i *deployer.Instance) { i.Image, i.Reference = batuta.Image{}, i.Image.String() })
	b.run(t, i)
	if c := b.only(t); c.Image != i.Image || c.State != "running" {
		t.Errorf("made of a reference: %+v", c)
	}
	i.Name, i.Reference = "web-2", "registry.test/none:none"
	if id, err := b.Ship.Create(t.Context(), b.scope, 7, i); err == nil {
		t.Errorf("created %s from an image that is not there", id)
	}
}

func crash(t *testing.T, b *bench) {
	id := b.run(t, b.instance("a", quits()))
	exit, err := b.Ship.Wait(t.Context(), id)
	if err != nil || exit.Code != 3 {
		t.Errorf("wait = %+v, %v; want code 3", exit, err)
	}
	lines, err := b.Ship.Tail(t.Context(), id, 20)
	slices.Sort(lines) // the two streams race
	if err != nil || !slices.Equal(lines, []string{"one", "two"}) {
		t.Errorf("tail = %q, %v", lines, err)
	}
	if lines, err = b.Ship.Tail(t.Context(), id, 1); err != nil || len(lines) != 1 {
		t.Errorf("tail of 1 = %q, %v", lines, err)
	}
	if c := b.only(t); c.State != "exited" || c.ExitCode != 3 {
		t.Errorf("crashed: %+v", c)
	}
}

func restarts(t *testing.T, b *bench) {
	id := b.run(t, b.instance("a", quits(), func(i *deployer.Instance) { i.Restart = "unless-stopped" }))
	if exit, err := b.Ship.Wait(t.Context(), id); err != nil || exit.Code != 3 {
		t.Errorf("wait = %+v, %v; want code 3", exit, err)
	}
	eventually(t, "the restart is counted", func() error {
		if c := b.only(t); c.Restarts == 0 {
			return errors.New("no restart of a container that crashes")
		}
		return nil
	})
	if err := b.Ship.Stop(t.Context(), id, 0); err != nil {
		t.Fatal(err)
	}
	if c := b.only(t); c.State != "exited" {
		t.Errorf("it crashed on after it was stopped: %+v", c)
	}
}

func stops(t *testing.T, b *bench) {
	id := b.run(t, b.instance("a", polite()))
	eventually(t, "the trap is set", func() error {
		if lines, err := b.Ship.Tail(t.Context(), id, 1); err != nil || len(lines) == 0 {
			return errors.Join(err, errors.New("nothing printed"))
		}
		return nil
	})
	if err := b.Ship.Stop(t.Context(), id, patient); err != nil {
		t.Fatal(err)
	}
	if c := b.only(t); c.State != "exited" || c.ExitCode != 0 {
		t.Errorf("told to end: %+v", c)
	}
	if err := b.Ship.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	id = b.run(t, b.instance("b", stubborn()))
	if err := b.Ship.Stop(t.Context(), id, time.Second); err != nil {
		t.Fatal(err)
	}
	if c := b.only(t); c.State != "exited" || c.ExitCode != 137 {
		t.Errorf("killed: %+v", c)
	}
}

func checks(t *testing.T, b *bench) {
	id := b.run(t, b.instance("a", serves(), published))
	pass := func(c deployer.Check) {
		t.Helper()
		eventually(t, c.String(), func() error { return b.Ship.Probe(t.Context(), id, c) })
	}
	fail := func(c deployer.Check) {
		t.Helper()
		if err := b.Ship.Probe(t.Context(), id, c); err == nil {
			t.Errorf("%s passed", c)
		}
	}
	pass(check(deployer.CheckTCP, func(*deployer.Check) {}))
	pass(check(deployer.CheckHTTP, func(c *deployer.Check) { c.Path = "/up" }))
	pass(check(deployer.CheckHTTP, func(c *deployer.Check) { c.Path, c.Match = "/up", "is.w" }))
	pass(check(deployer.CheckExec, func(c *deployer.Check) { c.Command = busybox("true") }))
	pass(check(deployer.CheckHTTP, func(c *deployer.Check) { c.Path, c.Exactly = "/down", 404 }))
	fail(check(deployer.CheckHTTP, func(c *deployer.Check) { c.Path, c.Exactly = "/up", 404 }))
	fail(check(deployer.CheckTCP, func(c *deployer.Check) { c.Port = 8081 }))
	fail(check(deployer.CheckHTTP, func(c *deployer.Check) { c.Path = "/down" }))
	fail(check(deployer.CheckHTTP, func(c *deployer.Check) { c.Path, c.Match = "/up", "ill" }))
	fail(check(deployer.CheckExec, func(c *deployer.Check) { c.Command = failing() }))

	if err := b.Ship.Stop(t.Context(), id, time.Second); err != nil {
		t.Fatal(err)
	}
	fail(check(deployer.CheckTCP, func(*deployer.Check) {}))
}

func environment(t *testing.T, b *bench) {
	id := b.run(t, b.instance("a", stubborn(), func(i *deployer.Instance) {
		i.Env = []deployer.Variable{{Name: "TOKEN", Value: token, Secret: true}}
	}))
	if err := b.Ship.Probe(t.Context(), id, check(deployer.CheckExec, func(c *deployer.Check) { c.Command = seesToken() })); err != nil {
		t.Error(err)
	}
}

func listens(t *testing.T, b *bench) {
	number := freePort(t)
	onHost := func(i *deployer.Instance) { i.NetworkMode = "host" }
	b.run(t, b.instance("a", listensOn(number), onHost))
	eventually(t, "the process is seen", func() error {
		all, err := b.Ship.Listens(t.Context())
		if err != nil || !slices.Contains(all, deployer.Port{Host: number, Protocol: "tcp"}) {
			return fmt.Errorf("nobody listens on port %d: %v, %w", number, all, err)
		}
		return nil
	})
	if got := b.taken(t, number); got != (deployer.Taken{}) {
		t.Errorf("port %d is taken as %+v; no container publishes it", number, got)
	}
	late := b.create(t, b.instance("b", stubborn(), fixedAt(number)))
	if err := b.Ship.Start(t.Context(), late); err == nil {
		t.Error("a process and a container hold one host port")
	}
}

// freePort is one that nobody holds here.
func freePort(t *testing.T) int {
	t.Helper()
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	number := free.Addr().(*net.TCPAddr).Port
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	return number
}

func fixedAt(number int) func(*deployer.Instance) {
	return func(i *deployer.Instance) {
		i.Ports = []deployer.Port{{Name: "http", Container: 8080, Host: number, Protocol: "tcp"}}
	}
}

func hostPort(t *testing.T, b *bench) {
	number := freePort(t)
	fixed := fixedAt(number)
	first := b.run(t, b.instance("a", stubborn(), fixed))
	second := b.create(t, b.instance("b", stubborn(), fixed))
	if err := b.Ship.Start(t.Context(), second); err == nil {
		t.Error("two containers hold one host port")
	}
	if all, err := b.Ship.Listens(t.Context()); err != nil || !slices.ContainsFunc(all, func(p deployer.Port) bool { return p.Host == number && p.Protocol == "tcp" }) {
		t.Errorf("nobody listens on port %d: %v, %v", number, all, err)
	}
	if got := b.taken(t, number); got.By == "" || got.Scope != b.scope || got.Port.Protocol != "tcp" || got.Port.Address != "" {
		t.Errorf("port %d is taken as %+v; want it by the first container", number, got)
	}
	if err := b.Ship.Stop(t.Context(), first, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the port is free", func() error { // a recent Engine lists a container as running for a moment
		if got := b.taken(t, number); got.By != "" {
			return fmt.Errorf("port %d is still taken: %+v", number, got)
		}
		return nil
	})
	if err := b.Ship.Start(t.Context(), second); err != nil {
		t.Errorf("the port is free again: %v", err)
	}
}

// taken is who holds a host port; zero if it is free.
func (b *bench) taken(t *testing.T, number int) deployer.Taken {
	t.Helper()
	all, err := b.Ship.Taken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Port.Host == number {
			return p
		}
	}
	return deployer.Taken{}
}

func missing(t *testing.T, b *bench) {
	if err := b.Ship.Pull(t.Context(), b.Missing); err == nil {
		t.Error("pulled what the registry does not have")
	}
	i := b.instance("a", stubborn())
	i.Image = b.Missing
	if id, err := b.Ship.Create(t.Context(), b.scope, 7, i); err == nil {
		t.Errorf("created %s from an image that is not there", id)
	}
}

func gone(t *testing.T, b *bench) {
	id := b.run(t, b.instance("a", quits()))
	if _, err := b.Ship.Wait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := b.Ship.Stop(t.Context(), id, time.Second); err != nil {
		t.Errorf("stop what does not run: %v", err)
	}
	if exit, err := b.Ship.Wait(t.Context(), id); err != nil || exit.Code != 3 {
		t.Errorf("wait for what does not run = %+v, %v", exit, err)
	}
	for range 2 {
		if err := b.Ship.Remove(t.Context(), id); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
	if err := b.Ship.Start(t.Context(), id); err == nil {
		t.Error("started what is removed")
	}
}

func givesUp(t *testing.T, b *bench) {
	id := b.run(t, b.instance("a", stubborn()))
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.Ship.Wait(soon, id); err == nil {
		t.Error("wait returned while the container runs")
	}
	for name, call := range map[string]func() error{
		"Containers": func() error { _, err := b.Ship.Containers(soon, b.scope); return err },
		"Listens":    func() error { _, err := b.Ship.Listens(soon); return err },
		"Taken":      func() error { _, err := b.Ship.Taken(soon); return err },
		"Create":     func() error { _, err := b.Ship.Create(soon, b.scope, 7, b.instance("b", stubborn())); return err },
		"Start":      func() error { return b.Ship.Start(soon, id) },
		"Probe": func() error {
			return b.Ship.Probe(soon, id, check(deployer.CheckExec, func(c *deployer.Check) { c.Command = busybox("true") }))
		},
		"Tail":   func() error { _, err := b.Ship.Tail(soon, id, 1); return err },
		"Logs":   func() error { return b.Ship.Logs(soon, id, 1, true, io.Discard) },
		"Facts":  func() error { _, err := b.Ship.Facts(soon); return err },
		"Find":   func() error { _, err := b.Ship.Find(soon, b.Image.String()); return err },
		"Fetch":  func() error { return b.Ship.Fetch(soon, b.Image.String(), nil, nil) },
		"Watch":  func() error { return b.Ship.Watch(soon, time.Now(), func(deployer.Occurrence) {}) },
		"Kill":   func() error { return b.Ship.Kill(soon, id) },
		"Prune":  func() error { _, err := b.Ship.Prune(soon, nil, nil); return err },
		"Lock":   func() error { _, err := b.Ship.Lock(soon, b.scope, "ada", time.Minute); return err },
		"Unlock": func() error { return b.Ship.Unlock(soon, b.scope, "ada") },
	} {
		if err := call(); err == nil {
			t.Errorf("%s went on after its context ended", name)
		}
	}
}
