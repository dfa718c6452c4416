package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// portOnAll is the host port of the application of TestShipsAtWork.
const portOnAll = 18443

// TestShipsAtWork drains one of three ships while clients come, has things
// stopped and removed by hand, crashed and cut off, and looks what becomes of
// them.
func TestShipsAtWork(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("clock-ships")
	lab.Bases(t, lab.Node)
	s := newSite(t, lab.BuildKit(t), lab.OwnShips(t, 4), app, "reconcile: {every: 5s}\n")
	s.serve(t)
	w := s.newWorkingCopy(t, "node", app)
	w.edit("environments/production.yml", "count: 2", "count: 2\n    lost_after: 3s")
	w.edit("environments/production.yml", "name: clock-production", "drift: repair")
	w.edit("environments/production.yml", "{http: 8080}", fmt.Sprintf(`{http: "8080:%d"}`, portOnAll))
	w.edit("server.js", `case "/up":`, `case "/crash": process.exit(42);
      case "/up":`)
	s.succeeds(t, s.pushed(t, app, w).ID)
	run, err := s.client.Deploy(t.Context(), app, "production", promotion())
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, run.ID)
	s.answers(t, app, "production", 2, "It is")
	s.settles(t, app)

	t.Run("ships tell of themselves", func(t *testing.T) { s.tell(t) })
	s.drains(t, app)
	s.repairs(t, app)
	s.crashes(t, app)
	s.loses(t, app)
}

// settles waits until the server has seen production as it should be.
func (s *site) settles(t *testing.T, app batuta.AppName) {
	t.Helper()
	lab.Wait(t, time.Minute, func() error {
		all, err := s.client.Status(t.Context(), app)
		if err != nil {
			return err
		}
		if p := all[1]; p.Drift != nil || !p.Healthy || len(p.Containers) != 2 {
			return fmt.Errorf("production has %d containers and drift %+v: %s", len(p.Containers), p.Drift, p.Reason)
		}
		return nil
	})
}

func (s *site) tell(t *testing.T) {
	ships, err := s.client.Ships(t.Context())
	if err != nil || len(ships) != len(s.ships) {
		t.Fatalf("%d ships (%v)", len(ships), err)
	}
	for _, ship := range ships {
		if f := ship.Facts; !ship.Reachable || !strings.HasPrefix(f.Engine, "20.10") || f.CPUs == 0 || f.Memory == 0 || f.DiskFree == 0 || f.DiskFree > f.DiskSize {
			t.Errorf("%s is %+v", ship.Name, ship)
		}
	}
}

// places is on which ships production runs, by instance.
func (s *site) places(t *testing.T, app batuta.AppName) map[batuta.InstanceName]batuta.ContainerState {
	t.Helper()
	containers, _ := s.environment(t, app, "production")
	out := map[batuta.InstanceName]batuta.ContainerState{}
	for _, c := range containers {
		out[c.Instance] = c
	}
	return out
}

func (s *site) ship(t *testing.T, name batuta.ShipName) lab.Ship {
	t.Helper()
	for _, ship := range s.ships {
		if ship.Name == name {
			return ship
		}
	}
	t.Fatalf("no ship %s", name)
	return lab.Ship{}
}

// drains empties a ship that has an instance while a client asks all the time.
func (s *site) drains(t *testing.T, app batuta.AppName) {
	t.Helper()
	asked := s.askAny(t)
	from := s.places(t, app)["web-1"].Ship
	d, err := s.client.Drain(t.Context(), from, "new disk")
	if err != nil || len(d.Runs) != 1 || len(d.Stuck) != 0 {
		t.Fatalf("the drain is %+v (%v)", d, err)
	}
	s.succeeds(t, d.Runs[0])
	for name, c := range s.places(t, app) {
		if c.Ship == from {
			t.Errorf("%s is still on %s", name, from)
		}
	}
	one, err := s.client.Ship(t.Context(), from)
	if err != nil || len(one.Runs) != 0 || one.Mark != pipeline.Draining || one.By != "ana" || one.Why != "new disk" {
		t.Errorf("the drained ship is %+v (%v)", one, err)
	}
	if _, err := s.client.Uncordon(t.Context(), from, ""); err != nil {
		t.Fatal(err)
	}
	s.settles(t, app)
	if answers, failures := asked(); failures != 0 || answers == 0 {
		t.Errorf("%d of %d requests failed while a ship was drained", failures, answers+failures)
	}
}

// askAny asks as a proxy before the ships does: of those that answered last
// first, then of the others. It fails if none answers.
func (s *site) askAny(t *testing.T) (stop func() (answers, failures int64)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var answered, failed atomic.Int64
	var asking sync.WaitGroup
	plain := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	asking.Go(func() {
		for ctx.Err() == nil {
			err := errors.New("nobody was asked")
			for _, ship := range s.ships[1:] {
				if err = s.asks(ctx, plain, ship); err == nil {
					break
				}
			}
			switch {
			case ctx.Err() != nil:
			case err != nil:
				failed.Add(1)
			default:
				answered.Add(1)
			}
		}
	})
	t.Cleanup(cancel)
	return func() (int64, int64) {
		cancel()
		asking.Wait()
		return answered.Load(), failed.Load()
	}
}

func (s *site) asks(ctx context.Context, plain *http.Client, ship lab.Ship) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d/", ship.Address, portOnAll), nil)
	if err != nil {
		return err
	}
	response, err := plain.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// repairs has one instance stopped and the other removed by hand.
func (s *site) repairs(t *testing.T, app batuta.AppName) {
	t.Helper()
	now := s.places(t, app)
	onShip(t.Context(), t, s.ship(t, now["web-1"].Ship), "stop", now["web-1"].ID)
	s.heals(t, app, "web-1")
	now = s.places(t, app)
	onShip(t.Context(), t, s.ship(t, now["web-2"].Ship), "rm", "--force", now["web-2"].ID)
	s.heals(t, app, "web-2")
	seen := s.history(t, app, pipeline.EventFilter{Kind: deployer.Stopped, Instance: "web-1"})
	if len(seen) == 0 {
		t.Error("that it was stopped by hand is no history")
	}
	entries, err := s.client.Audit(t.Context(), app, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"web-1 on " + string(now["web-1"].Ship) + ": it was stopped", "web-2 on " + string(now["web-2"].Ship) + ": it is gone"} {
		if !audited(entries, "drift seen", words) || !audited(entries, "drift gone", words) || !audited(entries, "deploy asked", words) {
			t.Errorf("the trail does not tell %q: %+v", words, entries)
		}
	}
}

func audited(entries []batuta.Entry, action, words string) bool {
	for _, e := range entries {
		if e.Action == action && strings.Contains(e.Detail, words) {
			return true
		}
	}
	return false
}

// heals waits until an instance that was hurt has been hurt and runs again.
func (s *site) heals(t *testing.T, app batuta.AppName, name batuta.InstanceName) {
	t.Helper()
	before := time.Now()
	lab.Wait(t, time.Minute, func() error {
		if c := s.places(t, app)[name]; c.State != "running" || c.Started.Before(before) {
			return fmt.Errorf("%s is %+v", name, c)
		}
		return nil
	})
	s.settles(t, app)
}

func (s *site) history(t *testing.T, app batuta.AppName, f pipeline.EventFilter) []pipeline.Event {
	t.Helper()
	events, err := s.client.History(t.Context(), app, "production", f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// crashes has an instance end by itself, which Docker starts again.
func (s *site) crashes(t *testing.T, app batuta.AppName) {
	t.Helper()
	victim := s.places(t, app)["web-1"]
	if _, err := get(t.Context(), victim.URLs[0]+"/crash"); err == nil {
		t.Fatal("it did not crash")
	}
	lab.Wait(t, 20*time.Second, func() error {
		for _, e := range s.history(t, app, pipeline.EventFilter{Kind: deployer.Crashed, Instance: "web-1"}) {
			if e.Container == victim.ID && e.ExitCode == 42 && e.Ship == victim.Ship && e.Release == victim.Release {
				return nil
			}
		}
		return errors.New("the crash is no history")
	})
	s.settles(t, app)
}

// loses cuts a ship off for longer than the document bears.
func (s *site) loses(t *testing.T, app batuta.AppName) {
	t.Helper()
	gone := s.places(t, app)["web-2"].Ship
	ship := s.ship(t, gone)
	if err := ship.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	lab.Wait(t, time.Minute, func() error {
		if c := s.places(t, app)["web-2"]; c.Ship == gone || c.State != "running" {
			return fmt.Errorf("web-2 is %+v", c)
		}
		return nil
	})
	one, err := s.client.Ship(t.Context(), gone)
	if err != nil || one.Reachable || one.Silent.IsZero() || one.Reason == "" {
		t.Errorf("the lost ship is %+v (%v)", one, err)
	}
	if err := ship.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.settles(t, app) // what was there twice is there once
	entries, err := s.client.Audit(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	if !audited(entries, "ship lost", "") || !audited(entries, "ship back", "did not answer for") {
		t.Errorf("the trail does not tell that %s was lost: %+v", gone, entries)
	}
}
