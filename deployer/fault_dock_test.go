package deployer_test

import (
	"context"
	"crypto/rand"
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

// impatient are the options of a fleet whose ships are going to fail.
var impatient = deployer.Options{Ask: 3 * time.Second, Act: 10 * time.Second, Undo: 30 * time.Second, MinDisk: -1}

// soon is within how long a deployment must have ended that waits for a ship
// that does not answer: what impatient allows for one question, one act and
// putting it back, and what a busy machine needs.
const soon = 90 * time.Second

// ownDock is a fleet of ships that the test may break, reached over the
// network.
type ownDock struct {
	*dock
	ships []lab.Ship
}

func newOwnDock(t *testing.T, ships int) *ownDock {
	d := &ownDock{
		dock:  &dock{scope: deployer.Scope{App: "fault", Environment: batuta.EnvironmentName(strings.ToLower(rand.Text()[:12]))}, image: busybox(t)},
		ships: lab.OwnShips(t, ships),
	}
	for _, s := range d.ships {
		d.infos = append(d.infos, deployer.ShipInfo{Name: s.Name, Address: s.Address})
	}
	slices.SortFunc(d.ships, func(a, b lab.Ship) int { return strings.Compare(string(a.Name), string(b.Name)) })
	d.Fleet = d.fleet(t)
	return d
}

// fleet reaches the ships as one more server would.
func (d *ownDock) fleet(t *testing.T) *deployer.Fleet {
	t.Helper()
	reached, o := map[batuta.ShipName]deployer.Ship{}, impatient
	o.Addresses = map[batuta.ShipName]string{}
	for _, s := range d.ships {
		ship, err := docker.Dial(s.Name, s.TCP, docker.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ship.Close() }) // its ship may be dead
		reached[s.Name], o.Addresses[s.Name] = ship, s.Address
	}
	return deployer.New(reached, o)
}

// release is what a test deploys: a web server that says something.
type release struct {
	script string
	image  batuta.Image // zero: busybox
	keys   string       // further keys of the service
}

// want resolves the release: one instance on every ship.
func (d *ownDock) want(t *testing.T, r release) deployer.Spec {
	t.Helper()
	doc, err := deployer.Parse("environments/qa.yml", fmt.Appendf(nil, `
batuta: 1
services:
  web:
    build: web
    count: %d
    command: [/bin/busybox, sh, -c, %q]
    ports: {http: 8080}
    stop_timeout: 1s
    lifecycle: {running: [{type: exec, command: /bin/busybox wget -q -O /dev/null http://127.0.0.1:8080/up, max_wait: 15s}]}
%s`, len(d.infos), r.script, r.keys))
	if err != nil {
		t.Fatal(err)
	}
	if r.image == (batuta.Image{}) {
		r.image = d.image
	}
	want, err := doc.Resolve(deployer.Input{
		Scope: d.scope, Release: 1, Ships: d.infos, Images: map[batuta.ImageName]batuta.Image{"web": r.image},
		Current: d.Observe(t.Context(), d.scope).Containers,
	})
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// apply plans and applies the release. Each event is told to the test, too.
func (d *ownDock) apply(t *testing.T, f *deployer.Fleet, r release, each func(deployer.Event)) (deployer.Outcome, error) {
	t.Helper()
	plan, err := f.Plan(t.Context(), d.want(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return f.Apply(t.Context(), plan, func(e deployer.Event) {
		t.Log(e)
		if each != nil {
			each(e)
		}
	})
}

// live deploys the release. A daemon that was away may still do what it was
// told before, so that what was planned is planned again.
func (d *ownDock) live(t *testing.T, r release) {
	t.Helper()
	lab.Wait(t, soon, func() error {
		outcome, err := d.apply(t, d.Fleet, r, nil)
		if errors.Is(err, batuta.Conflict) {
			return err
		}
		if err != nil || outcome.Status != batuta.Live {
			t.Fatalf("apply = %v, %v; want live", outcome, err)
		}
		return nil
	})
}

// running gives the ids of the containers that run, by ship. There must be
// one on each.
func (d *ownDock) running(t *testing.T) map[batuta.ShipName]string {
	t.Helper()
	out := map[batuta.ShipName]string{}
	for _, c := range d.Observe(t.Context(), d.scope).Containers {
		if c.State != "running" || out[c.Ship] != "" {
			t.Errorf("%s on %s is %s, beside %q", c.Name, c.Ship, c.State, out[c.Ship])
		}
		out[c.Ship] = c.ID
	}
	if len(out) != len(d.infos) {
		t.Errorf("it runs on %v; want one on each of %d ships", out, len(d.infos))
	}
	return out
}

// asks has clients ask the service all the time, on all ships but some, until
// the function that is given is called. An answer that does not come fails
// the test.
func (d *ownDock) asks(t *testing.T, except ...batuta.ShipName) (enough func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	states, _ := d.Status(t.Context(), d.scope)
	for _, s := range states {
		if slices.Contains(except, s.Ship) {
			continue
		}
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := get(ctx, s.URLs[0]); err != nil && ctx.Err() == nil {
					t.Errorf("GET %s of %s, after %d answers: %v", s.URLs[0], s.Ship, n, err)
					return
				}
			}
		})
	}
	return func() { cancel(); clients.Wait() }
}

// started tells whether the event says that a container has just been started
// on the ship, which is in the middle of a deployment.
func started(e deployer.Event, on batuta.ShipName) bool {
	return e.Ship == on && (e.Kind == deployer.Started || e.Text == "started")
}

// leftAlone wants every ship but one to run what it ran.
func (d *ownDock) leftAlone(t *testing.T, before map[batuta.ShipName]string, except batuta.ShipName) {
	t.Helper()
	for _, c := range d.Observe(t.Context(), d.scope).Containers {
		if c.Ship != except && (c.ID != before[c.Ship] || c.State != "running") {
			t.Errorf("%s: %s (%s) is left, and %s ran before", c.Ship, c.ID, c.State, before[c.Ship])
		}
	}
}
