package docker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/deployer"
	"batuta/internal/lab"
)

// looksAround prints what a container sees of its settings.
const looksAround = `hostname; pwd; id -u; id -g; cat /proc/sys/net/core/somaxconn; ulimit -n; ulimit -Hn
cat /proc/1/environ | tr "\0" "\n" | grep -c ^PATH=; grep -c "10.9.8.7.*db.example" /etc/hosts; cat /proc/1/comm
touch /x 2>&1; touch /tmp/x && echo scratch; df -k /dev/shm | awk 'NR == 2 {print $2}'
cat /run/secrets/password; stat -c "%a %u %g" /run/secrets/password; cat /etc/keys/tls/key`

func settled(i *deployer.Instance) {
	i.Env = []deployer.Variable{{Name: "PATH", Unset: true}}
	i.Hostname, i.User, i.Workdir, i.Init, i.ReadOnly, i.ShmSize = "portal", "1000:2000", "/tmp", true, true, 8<<20
	i.Platform = "linux/" + runtime.GOARCH
	i.Tmpfs = map[string]string{"/tmp": "size=1m,mode=1777"}
	i.Sysctls = map[string]string{"net.core.somaxconn": "77"}
	i.Ulimits = []deployer.Ulimit{{Name: "nofile", Soft: 200, Hard: 300}}
	i.ExtraHosts = []string{"db.example:10.9.8.7"}
	i.Secrets = []deployer.SecretFile{
		{Secret: "key", Target: "/etc/keys/tls/key", Mode: 0o444, Value: "a key\n"},
		{Secret: "password", Target: "/run/secrets/password", Mode: 0o400, UID: 1000, GID: 2000, Value: "hunter2\n"},
	}
}

func TestContainerSeesItsSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.run(t, b.instance(looksAround, settled))
	want := []string{
		"portal", "/tmp", "1000", "2000", "77", "200", "300", "0", "1", "docker-init",
		"touch: /x: Read-only file system", "scratch", "8192", "hunter2", "400 1000 2000", "a key",
	}
	b.prints(t, id, want...)
}

// prints waits until a container has printed the lines, and no others.
func (b *bench) prints(t *testing.T, id string, want ...string) {
	t.Helper()
	lab.Wait(t, patient, func() error {
		got, err := b.Tail(t.Context(), id, 100)
		return errors.Join(err, sayUnless(slices.Equal(got, want), "%s", cmp.Diff(want, got)))
	})
}

func TestSecretFilesGoWithTheirContainer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	engine := raw(t, b.at.Endpoint)
	i := b.instance(`cat /run/secrets/password; exec sleep 3600`, settled)
	id := b.create(t, i)
	i.Secrets[1].Value = "hunter3\n"
	if again := b.create(t, i); again != id {
		t.Errorf("one that never ran is not taken: %s, %s", id, again)
	}
	found, told, err := engine.ContainerInspectWithRaw(t.Context(), id, false)
	must(t, err)
	if bytes.Contains(told, []byte("hunter")) {
		t.Errorf("a secret is told by %s", told)
	}
	must(t, b.Start(t.Context(), id))
	b.prints(t, id, "hunter3")
	must(t, b.Remove(t.Context(), id))
	if len(found.Mounts) != 2 { // the two directories
		t.Errorf("mounts: %+v", found.Mounts)
	}
	for _, m := range found.Mounts {
		left, err := engine.VolumeList(t.Context(), volume.ListOptions{})
		must(t, err)
		if m.Name != "" && slices.ContainsFunc(left.Volumes, func(v *volume.Volume) bool { return v.Name == m.Name }) {
			t.Errorf("the secrets in %s stay on the ship", m.Destination)
		}
	}
}

func TestOtherInstancesAreFoundByTheirNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := b.run(t, b.instance(serves, named("db-1"), func(i *deployer.Instance) {
		i.AnonymousVolumes, i.Aliases = []string{"/shared"}, []string{"back"}
	}))
	b.passes(t, server, tcp(8080))
	asks := func(host string) string {
		return "wget -q -O - http://" + host + ":8080/up"
	}
	for name, c := range map[string]struct {
		script string
		change func(*deployer.Instance)
	}{
		"link":    {asks("database"), func(i *deployer.Instance) { i.Links = []deployer.Link{{Instance: "db-1", Alias: "database"}} }},
		"alias":   {asks("back"), func(*deployer.Instance) {}},
		"network": {asks("127.0.0.1"), func(i *deployer.Instance) { i.NetworkMode = "container:db-1" }},
		"volumes": {"ls -d /shared", func(i *deployer.Instance) { i.VolumesFrom = []batuta.InstanceName{"db-1"} }},
	} {
		id := b.run(t, b.instance(c.script, named("asks-1"), c.change))
		exit, err := b.Wait(t.Context(), id)
		must(t, err)
		if said, err := b.Tail(t.Context(), id, 5); exit.Code != 0 || err != nil {
			t.Errorf("%s: exited %d: %q, %v", name, exit.Code, said, err)
		}
	}
	none := b.instance(sleeps, named("alone"), func(i *deployer.Instance) { i.VolumesFrom = []batuta.InstanceName{"db-2"} })
	if _, err := b.Create(t.Context(), b.scope, 7, none); !strings.Contains(err.Error(), "db-2") {
		t.Errorf("volumes of one that is not there: %v", err)
	}
}

func TestLinksInDockersOwnNetwork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	onBridge := func(i *deployer.Instance) { i.NetworkMode = "bridge" }
	b.passes(t, b.run(t, b.instance(serves, named("db-1"), onBridge)), tcp(8080))
	id := b.run(t, b.instance("wget -q -O - http://database:8080/up", onBridge, func(i *deployer.Instance) {
		i.Links = []deployer.Link{{Instance: "db-1", Alias: "database"}}
	}))
	if exit, err := b.Wait(t.Context(), id); err != nil || exit.Code != 0 {
		t.Errorf("exited %+v, %v", exit, err)
	}
	if made := b.networks(t, raw(t, b.at.Endpoint)); len(made) != 0 {
		t.Errorf("a network that nobody needs: %+v", made)
	}
}

func TestNetworksOfTheShipAreJoined(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	engine := raw(t, b.at.Endpoint)
	edge := "edge-" + string(b.scope.Environment)
	i := b.instance(sleeps, func(i *deployer.Instance) {
		i.Networks = []deployer.Attachment{{Network: edge, Aliases: []string{"portal.edge"}}}
	})
	if _, err := b.Create(t.Context(), b.scope, 7, i); !errors.Is(err, batuta.NotFound) || !strings.Contains(err.Error(), edge) {
		t.Errorf("a network that is not there: %v", err)
	}
	if all, err := b.Containers(t.Context(), b.scope); err != nil || len(all) != 0 {
		t.Errorf("a container was made all the same: %v, %v", all, err)
	}
	made, err := engine.NetworkCreate(t.Context(), edge, network.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		b.clear(t)
		must(t, engine.NetworkRemove(context.WithoutCancel(t.Context()), made.ID))
	})
	b.create(t, i)
	id := b.run(t, i) // taken as it is
	found, err := engine.ContainerInspect(t.Context(), id)
	must(t, err)
	joined := found.NetworkSettings.Networks
	if len(joined) != 2 || joined[edge] == nil || joined[edge].IPAddress == "" || !slices.Contains(joined[edge].Aliases, "portal.edge") {
		told, _ := json.Marshal(joined)
		t.Errorf("it is in %s", told)
	}
	if slices.Contains(joined[edge].Aliases, "web") {
		t.Errorf("others' services of that name are hidden: %v", joined[edge].Aliases)
	}
}
