package deployer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// berthed has the first release run on three real ships.
func berthed(t *testing.T) *dock {
	t.Helper()
	d := newDock(t, 3)
	if outcome, err := d.applies(t, d.resolve(t, stays, deployer.Service{})); err != nil || outcome.Status != batuta.Live {
		t.Fatalf("the first release: %v, %v", outcome, err)
	}
	return d
}

// another reaches the dock's ships as another server does.
func (d *dock) another(t *testing.T, o deployer.Options) *deployer.Fleet {
	t.Helper()
	reached := map[batuta.ShipName]deployer.Ship{}
	for _, s := range lab.Ships(t, len(d.infos)) {
		ship, err := docker.Dial(s.Name, s.Endpoint, docker.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := ship.Close(); err != nil {
				t.Error(err)
			}
		})
		reached[s.Name] = ship
	}
	return deployer.New(reached, o)
}

// told applies a specification, and gives what it was told meanwhile.
func (d *dock) told(t *testing.T, want deployer.Spec) (deployer.Outcome, []deployer.Event, error) {
	t.Helper()
	plan, err := d.Plan(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	var events []deployer.Event
	outcome, err := d.Apply(t.Context(), plan, func(e deployer.Event) { t.Log(e); events = append(events, e) })
	return outcome, events, err
}

// made are the instances of which a container was made, sorted.
func made(events []deployer.Event) []batuta.InstanceName {
	var out []batuta.InstanceName
	for _, e := range events {
		if e.Kind == deployer.Created {
			out = append(out, e.Instance)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// oneFalls has web-2 alone end a while after it was ready.
const oneFalls = "[ $HOSTNAME = web-2 ] || exec /bin/busybox sh -c '" + stays + "'; /bin/busybox touch /up; /bin/busybox sleep 2; exit 9"

func TestACanaryOnRealShips(t *testing.T) {
	t.Parallel()
	d := berthed(t)
	before := d.containers(t)
	canary := deployer.Service{Update: deployer.Update{Canary: deployer.Amount{N: 1}}}

	bad := d.resolve(t, "/bin/busybox touch /up; /bin/busybox sleep 2; exit 9", canary)
	outcome, events, err := d.told(t, bad)
	if outcome.Status != batuta.RolledBack || !errors.Is(err, batuta.Unhealthy) {
		t.Errorf("a canary that falls over: %v, %v", outcome, err)
	}
	if touched := made(events); len(touched) != 1 {
		t.Errorf("a canary that falls over touched %v; want one instance", touched)
	}
	if now := d.containers(t); !slices.Equal(now, before) {
		t.Errorf("on the ships: %v, want those of before: %v", now, before)
	}

	outcome, events, err = d.told(t, d.resolve(t, stays+" # next", canary))
	if err != nil || outcome.Status != batuta.Live {
		t.Fatalf("a canary that stays: %v, %v", outcome, err)
	}
	watched := slices.IndexFunc(events, func(e deployer.Event) bool { return strings.HasPrefix(e.Text, "1 of web watched") })
	if watched < 0 || len(made(events[:watched])) != 1 || len(made(events[watched:])) != 2 {
		t.Errorf("not one instance, a look at it, and then two: %v", events)
	}
}

func TestAToleratedFailureOnRealShips(t *testing.T) {
	t.Parallel()
	d := berthed(t)
	before := d.containers(t)
	outcome, err := d.applies(t, d.resolve(t, oneFalls, deployer.Service{Update: deployer.Update{Tolerate: deployer.Amount{N: 1}, Watch: 8 * time.Second}}))
	if err != nil || outcome.Status != batuta.Live || len(outcome.Failed) != 1 || !strings.Contains(outcome.Failed[0], "web-2") || !strings.Contains(outcome.Failed[0], "exited 9") {
		t.Fatalf("one of three falls over, and one may: %v, %v", outcome, err)
	}
	now := d.containers(t)
	kept := slices.DeleteFunc(slices.Clone(now), func(c string) bool { return !slices.Contains(before, c) })
	if len(now) != 3 || len(kept) != 1 {
		t.Errorf("on the ships: %v, before: %v; want two of three replaced", now, before)
	}
}

// TestTwoDeployAtOnceOnRealShips has two servers begin at the same time. The
// one that may goes on when the other has been told no.
func TestTwoDeployAtOnceOnRealShips(t *testing.T) {
	t.Parallel()
	d := berthed(t)
	type end struct {
		holder  string
		outcome deployer.Outcome
		err     error
	}
	ends, told := make(chan end, 2), make(chan struct{})
	refused := sync.OnceFunc(func() { close(told) })
	var both sync.WaitGroup
	for _, holder := range []string{"ada@laptop", "server main"} {
		fleet := d.another(t, deployer.Options{Holder: holder})
		plan, err := fleet.Plan(t.Context(), d.resolve(t, stays+" # of "+holder, deployer.Service{}))
		if err != nil {
			t.Fatal(err)
		}
		both.Go(func() {
			first := sync.OnceFunc(func() {
				select {
				case <-told:
				case <-time.After(time.Minute):
					t.Errorf("%s has the lease, and nobody else was told", holder)
				}
			})
			outcome, err := fleet.Apply(t.Context(), plan, func(e deployer.Event) { first(); t.Log(holder, e) })
			ends <- end{holder, outcome, err}
			if outcome.Status != batuta.Live {
				refused()
			}
		})
	}
	both.Wait()
	loser, winner := <-ends, <-ends
	if winner.err != nil || winner.outcome.Status != batuta.Live {
		t.Fatalf("%s: %v, %v; want one to win", winner.holder, winner.outcome, winner.err)
	}
	if !errors.Is(loser.err, batuta.Conflict) || !strings.Contains(fmt.Sprint(loser.err), "is being changed by "+winner.holder) {
		t.Errorf("%s: %v, %v; want it told of %s", loser.holder, loser.outcome, loser.err, winner.holder)
	}
	if now := d.containers(t); len(now) != 3 {
		t.Errorf("on the ships: %v; want none doubled", now)
	}
}

func TestAShipWithLessSpaceThanAskedIsRefused(t *testing.T) {
	t.Parallel()
	d := newDock(t, 2)
	d.Fleet = d.another(t, deployer.Options{MinDisk: 1 << 60})
	outcome, events, err := d.told(t, d.resolve(t, stays, deployer.Service{}))
	if outcome.Status != batuta.Failed || outcome.Undone != nil || !errors.Is(err, batuta.Unavailable) {
		t.Errorf("apply = %v, %v", outcome, err)
	}
	for _, s := range d.infos {
		if text := fmt.Sprint(err); !strings.Contains(text, string(s.Name)+" has ") || !strings.Contains(text, fmt.Sprintf("at least %d MiB are needed", 1<<40)) {
			t.Errorf("the error does not tell what %s lacks: %s", s.Name, text)
		}
	}
	if now := d.containers(t); len(now) != 0 || len(events) != 0 {
		t.Errorf("something was touched: %v, %v", now, events)
	}
}
