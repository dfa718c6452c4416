package docker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"batuta/deployer"
	"batuta/internal/lab"
)

func TestWhatSomebodyChangedByHandIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	engine := raw(t, b.at.Endpoint)
	i := b.instance(sleeps, func(i *deployer.Instance) {
		i.Restart, i.StopTimeout = "on-failure:3", time.Second
		i.Limits = deployer.Limits{Memory: 64 << 20, CPUs: 0.5, PIDs: 50}
		i.Seal([]byte("key"))
	})
	id := b.run(t, i)
	untouched := func(when string) {
		if c := b.only(t); len(c.Altered) != 0 {
			t.Fatalf("%s, nobody changed it: %q", when, c.Altered)
		}
	}
	untouched("running")
	must(t, b.Stop(t.Context(), id, 0))
	untouched("stopped")
	must(t, b.Start(t.Context(), id))
	must(t, engine.ContainerPause(t.Context(), id))
	untouched("paused")
	must(t, engine.ContainerUnpause(t.Context(), id))
	name := string(b.scope.Environment) + "-other"
	other, err := engine.NetworkCreate(t.Context(), name, network.CreateOptions{Labels: map[string]string{"test": name}})
	must(t, err)
	_, err = engine.ContainerUpdate(t.Context(), id, container.UpdateConfig{
		Resources:     container.Resources{Memory: 128 << 20, MemorySwap: 256 << 20, NanoCPUs: 1e9},
		RestartPolicy: container.RestartPolicy{Name: "always"},
	})
	must(t, err)
	must(t, engine.NetworkConnect(t.Context(), other.ID, id, nil))
	own := b.networks(t, engine)[0]
	must(t, engine.NetworkDisconnect(t.Context(), own.ID, id, false))
	want := []string{
		"restart on-failure:3 → always", "limit memory 64m → 128m", "limit cpus 0.5 → 1",
		"it is not in the environment's network by its own name", "network " + name + " added",
	}
	if c := b.only(t); !slices.Equal(c.Altered, want) {
		t.Errorf("altered: %q; want %q", c.Altered, want)
	}

	crashing := b.run(t, b.instance("exit 1", named("web-2"), func(i *deployer.Instance) {
		i.Restart = "always"
		i.Seal([]byte("key"))
	}))
	lab.Wait(t, patient, func() error {
		found, err := engine.ContainerInspect(t.Context(), crashing)
		if err != nil || found.RestartCount < 2 {
			return fmt.Errorf("%v, %w", found.RestartCount, err)
		}
		return nil
	})
	all, err := b.Containers(t.Context(), b.scope)
	must(t, err)
	if len(all) != 2 || len(all[1].Altered) != 0 {
		t.Errorf("one that crashes in turn: %+v", all)
	}
	must(t, b.Remove(t.Context(), crashing))

	next := b.create(t, i) // beside it, and not in its place
	if next == id {
		t.Error("the one that was changed is taken for another")
	}
	must(t, b.Stop(t.Context(), id, 0))
	if again := b.create(t, i); again != next {
		t.Error("the new one is not taken")
	}
	all, err = b.Containers(t.Context(), b.scope)
	must(t, err)
	slices.SortFunc(all, func(a, b deployer.Container) int { return strings.Compare(a.Name, b.Name) })
	if len(all) != 2 || len(all[0].Altered) == 0 || len(all[1].Altered) != 0 || !strings.HasPrefix(all[1].Name, all[0].Name) {
		t.Errorf("containers = %+v", all)
	}
	must(t, b.Remove(t.Context(), id))
	must(t, engine.NetworkRemove(t.Context(), other.ID))
}
