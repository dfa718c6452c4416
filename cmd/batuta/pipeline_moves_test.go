package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// inProduction has the first push run in production, and looked at.
func (s *works) inProduction(t *testing.T) {
	t.Helper()
	s.succeeds(t, s.push(t, "one"))
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))
	if d := s.looks(t, "production"); len(d.Drift)+len(d.Moves) > 0 {
		t.Fatalf("after the promotion there is %+v", d)
	}
}

// settles waits until an environment is as its live release wants it, and no
// run works on it.
func (s *works) settles(t *testing.T, env batuta.EnvironmentName) {
	t.Helper()
	lab.Wait(t, 20*time.Second, func() error {
		if run, err := s.store.Busy(t.Context(), testApp, env); !errors.Is(err, batuta.NotFound) {
			return fmt.Errorf("run %d works on it (%w)", run, err)
		}
		if d := s.looks(t, env); len(d.Drift)+len(d.Moves) > 0 {
			return fmt.Errorf("there is %+v", d)
		}
		return nil
	})
}

func TestADrainMovesWhatIsCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("environments/production.yml", "services:", `services:
  db: {image: "registry.example.edu/shop/db@sha256:`+strings.Repeat("1", 64)+`", instances: {db: {ship: b}}}`)
	s := w.start(t)
	s.inProduction(t)
	d, err := s.Drain(t.Context(), "b", "ben", "new disk")
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Runs) != 1 || len(d.Stuck) != 1 || d.Stuck[0].Instance != "db" || d.Stuck[0].Environment != "production" {
		t.Fatalf("the drain is %+v", d)
	}
	run := s.succeeds(t, d.Runs[0])
	if run.By != "ben" || run.Reason != "drain b: new disk" || run.Kind != batuta.RunDeploy {
		t.Errorf("the run is %+v", run)
	}
	if c := w.running("production"); len(c) != 3 || !strings.HasPrefix(c[0], "db@b=") || !strings.HasPrefix(c[1], "web-1@c=") || !strings.HasPrefix(c[2], "web-2@c=") {
		t.Errorf("after the drain production runs %q", c)
	}
	again, err := s.Drain(t.Context(), "b", "ben", "new disk")
	if err != nil || len(again.Runs) != 0 || len(again.Stuck) != 1 {
		t.Errorf("the second drain is %+v (%v)", again, err)
	}
	if lines := s.audited(t, "ship drained"); len(lines) != 1 || lines[0].By != "ben" || lines[0].Detail != "new disk" {
		t.Errorf("the trail has %+v", lines)
	}
	if _, err := s.Drain(t.Context(), "z", "ben", ""); !errors.Is(err, batuta.NotFound) {
		t.Errorf("a drain of no ship: %v", err)
	}

	// Open again, it gets its share back.
	if err := s.MarkShip(t.Context(), "b", pipeline.Open, "ben", ""); err != nil {
		t.Fatal(err)
	}
	s.settles(t, "production")
	if c := w.running("production"); len(c) != 3 || strings.HasPrefix(c[1], "web-1@c=") && strings.HasPrefix(c[2], "web-2@c=") {
		t.Errorf("after the ship was opened production runs %q", c)
	}
}

func TestACordonKeepsAndBars(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	s.inProduction(t)
	if err := s.MarkShip(t.Context(), "b", pipeline.Cordoned, "ben", ""); err != nil {
		t.Fatal(err)
	}
	if d := s.looks(t, "production"); len(d.Drift)+len(d.Moves) > 0 {
		t.Errorf("a cordon makes %+v", d)
	}
	w.edit("environments/production.yml", "count: 2", "count: 4")
	s.succeeds(t, s.push(t, "two"))
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))
	want(t, w.running("production"), "web-1@b=two", "web-2@c=two", "web-3@c=two", "web-4@c=two")
}

func TestALostShipsInstancesAreStartedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.every = 20 * time.Millisecond
	w.edit("environments/production.yml", "count: 2,", "count: 2, lost_after: 1s,")
	w.edit("environments/production.yml", "services:", `services:
  db: {image: "registry.example.edu/shop/db@sha256:`+strings.Repeat("1", 64)+`", instances: {db: {ship: b}}}`)
	s := w.start(t)
	s.inProduction(t)
	s.watch(t)
	victim := batuta.InstanceName("web-1")
	if slices.ContainsFunc(w.ships["b"].All(), func(c deployer.Container) bool { return c.Instance == "web-2" }) {
		victim = "web-2"
	}
	mend := w.cut("b")
	began := time.Now()
	var moved time.Time
	lab.Wait(t, 20*time.Second, func() error {
		for _, c := range w.ships["c"].All() {
			if c.Instance == victim && c.State == "running" {
				moved = time.Now()
				return nil
			}
		}
		return fmt.Errorf("%s is not on c", victim)
	})
	if took := moved.Sub(began); took < time.Second {
		t.Errorf("it was moved after %s, before lost_after", took)
	}
	mend()
	lab.Wait(t, 20*time.Second, func() error { // web-1 is not there twice for long, and the load is spread again
		counts := map[batuta.InstanceName]int{}
		for _, name := range []batuta.ShipName{"b", "c"} {
			for _, c := range w.ships[name].All() {
				counts[c.Instance]++
			}
		}
		if counts["web-1"] != 1 || counts["web-2"] != 1 || counts["db"] != 1 {
			return fmt.Errorf("there are %v", counts)
		}
		return nil
	})
	s.settles(t, "production")
	if runs := s.audited(t, "deploy asked"); len(runs) == 0 || runs[len(runs)-1].By != "batuta: placement" || !strings.Contains(runs[len(runs)-1].Detail, string(victim)+" goes from b, which does not answer, to c") {
		t.Errorf("the trail has %+v", runs)
	}
}

func TestASilentShipKeepsItsInstancesWithoutLostAfter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.every = 20 * time.Millisecond
	w.edit("environments/production.yml", "count: 2", "count: 1")
	s := w.start(t)
	s.inProduction(t)
	s.watch(t)
	defer w.cut("b")()
	lab.Wait(t, 10*time.Second, func() error {
		if len(s.audited(t, "ship lost")) == 0 {
			return errors.New("b is not missed")
		}
		return nil
	})
	for range 3 {
		s.looks(t, "production")
	}
	if c := w.ships["c"].All(); len(c) != 0 {
		t.Errorf("c got %+v", c)
	}
}

func TestDriftIsRepairedWhereTheDocumentSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.every = 20 * time.Millisecond
	w.edit("environments/qa.yml", "services:", "drift: repair\nservices:")
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	s.settles(t, "qa")
	s.watch(t)
	was := w.instance(t, "a", "web-1")
	if err := w.ships["a"].Remove(t.Context(), was.ID); err != nil {
		t.Fatal(err)
	}
	lab.Wait(t, 20*time.Second, func() error {
		if c := w.running("qa"); len(c) != 1 || !strings.HasSuffix(c[0], ":running") {
			return fmt.Errorf("qa runs %q", c)
		}
		if len(s.audited(t, "drift gone")) != 1 {
			return errors.New("the drift has not gone")
		}
		return nil
	})
	runs := s.audited(t, "deploy asked")
	if len(runs) != 1 || runs[0].By != "batuta: drift" || !strings.Contains(runs[0].Detail, "web-1 on a: it is gone") {
		t.Errorf("the trail has %+v", runs)
	}
}

func TestARepairThatFailsIsNotTriedForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.every = 100 * time.Millisecond
	w.edit("environments/qa.yml", "services:", "drift: repair\nservices:")
	w.ships["a"].Behave = func(deployer.Instance) shiptest.Behaviour {
		w.mu.Lock()
		defer w.mu.Unlock()
		return shiptest.Behaviour{Exits: w.sick, ExitCode: 3}
	}
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	s.settles(t, "qa")
	w.mu.Lock()
	w.sick = true
	w.mu.Unlock()
	if err := w.ships["a"].Remove(t.Context(), w.instance(t, "a", "web-1").ID); err != nil {
		t.Fatal(err)
	}
	s.watch(t)
	var d pipeline.Drift
	lab.Wait(t, 20*time.Second, func() error {
		if d = s.drift(t, "qa"); d.Tries < 3 {
			return fmt.Errorf("there is %+v", d)
		}
		return nil
	})
	if d.Why == "" || !d.Next.After(d.Since.Add(600*time.Millisecond)) {
		t.Errorf("after three tries there is %+v, want more and more time between them", d)
	}
	w.mu.Lock()
	told := slices.ContainsFunc(w.notices, func(n pipeline.Notice) bool { return n.Kind == pipeline.RepairFailed && n.Environment == "qa" })
	w.sick = false
	w.mu.Unlock()
	if !told {
		t.Error("nobody was told")
	}
	s.settles(t, "qa")
}
