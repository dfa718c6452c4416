package docker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"batuta"
	"batuta/deployer"
	"batuta/internal/lab"
)

// diary is what a ship tells of a scope.
type diary struct {
	*bench
	last time.Time // of what was read
}

// next gives the next so many occurrences.
func (d *diary) next(t *testing.T, want int) []deployer.Occurrence {
	t.Helper()
	ctx, enough := context.WithTimeout(t.Context(), patient)
	defer enough()
	var got []deployer.Occurrence
	err := d.Watch(ctx, d.last, func(o deployer.Occurrence) {
		if o.Scope == d.scope && len(got) < want {
			got, d.last = append(got, o), o.At
		}
		if len(got) == want {
			enough()
		}
	})
	if len(got) != want || !errors.Is(err, context.Canceled) {
		t.Fatalf("%d occurrences, %v; want %d: %+v", len(got), err, want, got)
	}
	return got
}

func kinds(all []deployer.Occurrence) []deployer.EventKind {
	var out []deployer.EventKind
	for _, o := range all {
		out = append(out, o.Kind)
	}
	return out
}

func (d *diary) expect(t *testing.T, want ...deployer.EventKind) []deployer.Occurrence {
	t.Helper()
	got := d.next(t, len(want))
	if !slices.Equal(kinds(got), want) {
		t.Errorf("it happened: %v; want %v", kinds(got), want)
	}
	return got
}

func newDiary(t *testing.T, b *bench) *diary {
	t.Helper()
	now, err := b.Facts(t.Context())
	must(t, err)
	return &diary{bench: b, last: now.Time}
}

func TestWhoEndedIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d, engine := newDiary(t, b), raw(t, b.at.Endpoint)
	began := []deployer.EventKind{deployer.Created, deployer.Started}

	id := b.run(t, b.instance("trap 'exit 5' USR2; while :; do sleep 0.1; done"))
	d.expect(t, began...)
	must(t, engine.ContainerKill(t.Context(), id, "USR2")) // which tells it to do something, not to end
	if o := d.expect(t, deployer.Crashed); o[0].ExitCode != 5 || o[0].OOMKilled || o[0].Container != id {
		t.Errorf("it crashed: %+v", o)
	}
	must(t, b.Start(t.Context(), id))
	must(t, engine.ContainerRestart(t.Context(), id, container.StopOptions{Timeout: new(0)}))
	d.expect(t, deployer.Started, deployer.Stopped, deployer.Started)
	must(t, b.Remove(t.Context(), id))
	if o := d.expect(t, deployer.Stopped, deployer.Removed); o[0].ExitCode != 137 {
		t.Errorf("it was removed while it ran: %+v", o)
	}
}

func TestWantOfMemoryIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := newDiary(t, b)
	b.run(t, b.instance("exec tail /dev/zero", func(i *deployer.Instance) { i.Limits.Memory, i.Limits.Swap = 16<<20, 16<<20 }))
	o := d.expect(t, deployer.Created, deployer.Started, deployer.Crashed)
	if !o[2].OOMKilled || o[2].ExitCode == 0 {
		t.Errorf("it ended: %+v", o[2])
	}
}

func TestHealthIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := newDiary(t, b)
	id := b.run(t, b.instance("touch /well; "+sleeps, func(i *deployer.Instance) {
		i.Healthcheck = &deployer.Healthcheck{Test: []string{"CMD", "/bin/busybox", "ls", "/well"}, Interval: 100 * time.Millisecond, Retries: 1}
	}))
	check := deployer.Check{Type: deployer.CheckHealth, Timeout: patient}
	b.passes(t, id, check)
	d.expect(t, deployer.Created, deployer.Started, deployer.Ready)
	must(t, b.Probe(t.Context(), id, deployer.Check{Type: deployer.CheckExec, Command: []string{"rm", "/well"}, Timeout: patient}))
	d.expect(t, deployer.Unready)
	err := b.Probe(t.Context(), id, check)
	must(t, wrong(err, batuta.Unhealthy, "unhealthy: ls: /well: No such file", ""))
}

func TestWatchEndsWithTheDaemonAndGoesOnWithTheNext(t *testing.T) {
	t.Parallel()
	at := lab.OwnShips(t, 1)[0]
	b := benchOn(t, at, at.TCP)
	d := newDiary(t, b)
	b.run(t, b.instance(sleeps))
	d.expect(t, deployer.Created, deployer.Started)
	begun, ended := make(signals, 2), make(chan error, 1)
	go func() {
		ended <- b.Watch(t.Context(), time.Time{}, func(deployer.Occurrence) { begun <- struct{}{} })
	}()
	<-begun
	<-begun
	must(t, at.KillDaemon(t.Context()))
	if err := <-ended; !errors.Is(err, batuta.Unavailable) {
		t.Errorf("it ended: %v", err)
	}
	must(t, at.Restart(t.Context()))
	id := b.run(t, b.instance("exit 1", named("web-2")))
	lab.Wait(t, patient, func() error {
		if o := d.next(t, 1)[0]; o.Container != id || o.Kind != deployer.Crashed {
			return fmt.Errorf("so far: %+v", o)
		}
		return nil
	})
}
