package docker_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

const patient = time.Minute // for a busy machine

// bench is one test's place on a ship of the lab.
type bench struct {
	*docker.Ship
	at    lab.Ship
	scope deployer.Scope
	image batuta.Image // busybox
}

// newBench gives a place on the first ship, reached over TCP, as one that is
// another machine is.
func newBench(t *testing.T) *bench {
	t.Helper()
	at := lab.Ships(t, 1)[0]
	return benchOn(t, at, at.TCP)
}

func benchOn(t *testing.T, at lab.Ship, endpoint string) *bench {
	t.Helper()
	return benchOver(t, at, endpoint, deployer.Reach{})
}

func benchOver(t *testing.T, at lab.Ship, endpoint string, reach deployer.Reach) *bench {
	t.Helper()
	b := &bench{
		Ship: dial(t, at.Name, endpoint, docker.Options{Runtime: newRuntime(t), Reach: reach}), at: at, image: busybox(t),
		scope: deployer.Scope{App: "docker", Environment: batuta.EnvironmentName(strings.ToLower(rand.Text()[:12]))},
	}
	if at.Address == "127.0.0.1" { // the machine's Engine may be anybody's, and pulls in plain HTTP from here only
		b.image.Repository = lab.Bases(t, lab.Busybox).Loopback + "/library/busybox"
	}
	t.Cleanup(func() { b.clear(t) })
	must(t, b.Pull(t.Context(), b.image))
	return b
}

func dial(t *testing.T, name batuta.ShipName, endpoint string, o docker.Options) *docker.Ship {
	t.Helper()
	ship, err := docker.Dial(name, endpoint, o)
	must(t, err)
	t.Cleanup(func() { must(t, ship.Close()) })
	return ship
}

// clear removes what the test left, and sees that nothing stays.
func (b *bench) clear(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patient)
	defer cancel()
	left, err := b.Containers(ctx, b.scope)
	must(t, err)
	for _, c := range left {
		must(t, b.Remove(ctx, c.ID))
	}
	must(t, b.RemoveNetwork(ctx, b.scope))
}

// busybox is the lab's image, by digest.
func busybox(t *testing.T) batuta.Image {
	t.Helper()
	registry := lab.Bases(t, lab.Busybox)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://"+registry.Bridge+"/v2/library/busybox/manifests/latest", nil)
	must(t, err)
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json")
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	must(t, resp.Body.Close())
	digest := resp.Header.Get("Docker-Content-Digest")
	must(t, batuta.CheckDigest(digest))
	return batuta.Image{Repository: registry.Bridge + "/library/busybox", Digest: batuta.Digest(digest)}
}

// instance is one that runs a script of busybox's shell.
func (b *bench) instance(script string, change ...func(*deployer.Instance)) deployer.Instance {
	i := deployer.Instance{
		Name: "web-1", Service: "web", Ship: b.at.Name, Image: b.image, Command: []string{"/bin/busybox", "sh", "-c", script},
		Restart: "no", StopTimeout: time.Second, Config: hex.EncodeToString([]byte(rand.Text())),
	}
	for _, c := range change {
		c(&i)
	}
	return i
}

const (
	sleeps = "exec sleep 3600"
	serves = "mkdir -p /www; echo all is well >/www/up; exec httpd -f -p 8080 -h /www"
)

func published(i *deployer.Instance) {
	i.Ports = []deployer.Port{{Name: "http", Container: 8080, Protocol: "tcp"}}
}

func named(name batuta.InstanceName) func(*deployer.Instance) {
	return func(i *deployer.Instance) { i.Name = name }
}

func (b *bench) create(t *testing.T, i deployer.Instance) string {
	t.Helper()
	id, err := b.Create(t.Context(), b.scope, 7, i)
	must(t, err)
	return id
}

func (b *bench) run(t *testing.T, i deployer.Instance) string {
	t.Helper()
	id := b.create(t, i)
	must(t, b.Start(t.Context(), id))
	return id
}

// only is the scope's only container.
func (b *bench) only(t *testing.T) deployer.Container {
	t.Helper()
	all, err := b.Containers(t.Context(), b.scope)
	must(t, err)
	if len(all) != 1 {
		t.Fatalf("containers = %+v; want one", all)
	}
	return all[0]
}

// passes waits until a check passes.
func (b *bench) passes(t *testing.T, id string, c deployer.Check) {
	t.Helper()
	lab.Wait(t, patient, func() error { return b.Probe(t.Context(), id, c) })
}

func tcp(port int) deployer.Check {
	return deployer.Check{Type: deployer.CheckTCP, Port: port, Timeout: 5 * time.Second}
}

func page(path string) deployer.Check {
	return deployer.Check{Type: deployer.CheckHTTP, Port: 8080, Path: path, Timeout: 5 * time.Second}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
