package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// cut has a ship not answer; the returned function mends that.
func (w *world) cut(name batuta.ShipName) (mend func()) {
	set := func(down bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.down[name] = down
	}
	set(true)
	return func() { set(false) }
}

// answers is what becomes of a call to a ship.
func (w *world) answers(c shiptest.Call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down[c.Ship] {
		return &batuta.Error{Kind: batuta.Unavailable, Message: "ship " + string(c.Ship), Err: errors.New("no route to host")}
	}
	return nil
}

// watch has the pipeline listen to the ships until the test ends.
func (s *works) watch(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { s.Watch(ctx) })
	done.Go(func() { s.Reconcile(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
}

// looks has the pipeline look at all environments once, and gives what it saw
// of one.
func (s *works) looks(t *testing.T, env batuta.EnvironmentName) pipeline.Drift {
	t.Helper()
	if err := s.ReconcileOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.drift(t, env)
}

func (s *works) drift(t *testing.T, env batuta.EnvironmentName) pipeline.Drift {
	t.Helper()
	all, err := s.store.Drifts(t.Context(), testApp)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if d.Environment == env {
			return d
		}
	}
	return pipeline.Drift{}
}

// audited counts the lines of the audit trail with an action.
func (s *works) audited(t *testing.T, action string) (lines []batuta.Entry) {
	t.Helper()
	all, err := s.store.Entries(t.Context(), "", 500)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e batuta.Entry) bool { return e.Action != action })
}

// instance is the container of an instance that runs, or ran last.
func (w *world) instance(t *testing.T, ship batuta.ShipName, name batuta.InstanceName) deployer.Container {
	t.Helper()
	for _, c := range slices.Backward(w.ships[ship].All()) {
		if c.Instance == name {
			return c
		}
	}
	t.Fatalf("%s has no %s", ship, name)
	return deployer.Container{}
}

func TestShipsTellOfThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))
	s.looks(t, "production")
	defer w.cut("c")()
	ships, err := s.ListShips(t.Context())
	if err != nil || len(ships) != 3 {
		t.Fatalf("%d ships (%v), want 3", len(ships), err)
	}
	a, c := ships[0], ships[2]
	if !a.Reachable || a.Facts.Engine == "" || a.Facts.DiskFree == 0 || len(a.Runs) != 1 || a.Runs[0].Environment != "qa" || a.Runs[0].Running != 1 || a.Runs[0].Containers != nil {
		t.Errorf("a is %+v", a)
	}
	if c.Reachable || c.Reason != "no route to host" || len(c.Runs) != 1 || c.Runs[0].Instances != 1 || c.Runs[0].Running != 0 {
		t.Errorf("c, which does not answer, is %+v", c)
	}
	one, err := s.ShowShip(t.Context(), "b")
	if err != nil || len(one.Runs) != 1 || len(one.Runs[0].Containers) != 1 || one.Runs[0].Containers[0].Instance != "web-1" {
		t.Errorf("b is %+v (%v)", one, err)
	}
	if _, err := s.ShowShip(t.Context(), "z"); !errors.Is(err, batuta.NotFound) {
		t.Errorf("a ship that is not there: %v", err)
	}
}

func TestALostShipIsToldAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.every = time.Hour // it is not found out by looking around
	s := w.start(t)
	s.watch(t)
	silent := func(want bool) {
		t.Helper()
		lab.Wait(t, 10*time.Second, func() error {
			ships, err := s.store.Ships(t.Context())
			if err == nil && ships["b"].Silent.IsZero() == want {
				err = fmt.Errorf("b is %+v", ships["b"])
			}
			return err
		})
	}
	mend := w.cut("b")
	silent(true)
	mend()
	silent(false)
	lost, back := s.audited(t, "ship lost"), s.audited(t, "ship back")
	if len(lost) != 1 || len(back) != 1 || lost[0].Object != "b" || lost[0].Detail != "no route to host" {
		t.Errorf("the trail has %+v and %+v", lost, back)
	}
	if told := w.toldOf(t, 2); len(told) != 2 || told[0].Kind != pipeline.ShipLost || told[1].Kind != pipeline.ShipBack || told[1].Ship != "b" {
		t.Errorf("people are told %+v", told)
	}
}

func TestDriftIsSeenOnceAndLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	if d := s.looks(t, "qa"); len(d.Drift)+len(d.Moves) > 0 {
		t.Fatalf("after the deployment there is %+v", d)
	}
	ship := w.ships["a"]
	container := w.instance(t, "a", "web-1")
	if err := ship.Stop(t.Context(), container.ID, time.Second); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if d := s.looks(t, "qa"); len(d.Drift) != 1 || !strings.HasPrefix(d.Drift[0], "web-1 on a: it was stopped") || d.Run != 0 {
			t.Fatalf("a stopped container is %+v", d)
		}
	}
	if err := ship.Remove(t.Context(), container.ID); err != nil {
		t.Fatal(err)
	}
	if d := s.looks(t, "qa"); !slices.Equal(d.Drift, []string{"web-1 on a: it is gone"}) || d.Run != 0 {
		t.Fatalf("a removed container is %+v", d)
	}
	status, err := s.Status(t.Context(), testApp)
	if err != nil || status[0].Drift == nil || len(status[0].Drift.Drift) != 1 {
		t.Errorf("the status is %+v (%v)", status, err)
	}
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunDeploy, Environment: "qa"}))
	if d := s.looks(t, "qa"); len(d.Drift) > 0 {
		t.Errorf("after another deployment there is %+v", d)
	}
	if seen, gone := s.audited(t, "drift seen"), s.audited(t, "drift gone"); len(seen) != 1 || len(gone) != 1 {
		t.Errorf("the trail has %+v and %+v", seen, gone)
	}
}

func TestACrashIsHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	s.watch(t)
	s.succeeds(t, s.push(t, "one"))
	container := w.instance(t, "a", "web-1")
	w.ships["a"].Crash(container.ID, 42)
	var events []pipeline.Event
	lab.Wait(t, 10*time.Second, func() (err error) {
		events, err = s.History(t.Context(), testApp, "qa", pipeline.EventFilter{Kind: deployer.Crashed})
		if err == nil && len(events) != 1 {
			err = fmt.Errorf("%d crashes", len(events))
		}
		return err
	})
	want := pipeline.Event{
		ID: events[0].ID, At: events[0].At, App: testApp, Environment: "qa", Kind: deployer.Crashed, Ship: "a", Service: "web", Instance: "web-1",
		Container: container.ID, Release: 1, ExitCode: 42, Text: "exit code 42", Teller: pipeline.ToldByShip,
	}
	if events[0] != want {
		t.Errorf("the crash is %+v, want %+v", events[0], want)
	}
	all, err := s.History(t.Context(), testApp, "", pipeline.EventFilter{Instance: "web-1"})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[deployer.EventKind]int{}
	for _, e := range all {
		seen[e.Kind]++
	}
	if seen[deployer.Created] != 1 || seen[deployer.Started] == 0 {
		t.Errorf("the history has %v", seen)
	}
	if _, err := s.History(t.Context(), "nobody", "", pipeline.EventFilter{}); !errors.Is(err, batuta.NotFound) {
		t.Errorf("the history of no app: %v", err)
	}
}
