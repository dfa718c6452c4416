package main

import (
	"slices"
	"strings"
	"testing"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
	"batuta/pipeline"
)

// halfBad has release 2 come to production, of which web-2 is never ready.
func (s *works) halfBad(t *testing.T, policy string) batuta.Run {
	t.Helper()
	w := s.world
	w.edit("environments/production.yml", "ports: {http: 8080}", "ports: {http: 8080}, update: "+policy+", lifecycle: {running: [{type: tcp, max_wait: 1s}]}")
	for _, ship := range w.ships {
		ship.Behave = func(i deployer.Instance) shiptest.Behaviour {
			return shiptest.Behaviour{NeverReady: i.Name == "web-2" && len(i.Checks) > 0}
		}
	}
	s.succeeds(t, s.push(t, "two"))
	return s.ended(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))
}

// TestWhatAFailureLeftIsShownAndNotMended looks at an environment whose last
// deployment was paused, and at one whose last deployment tolerated a failure:
// nobody asked for another deployment, whatever the document says of drift.
func TestWhatAFailureLeftIsShownAndNotMended(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy, drift string
		status        batuta.RunStatus
		sees          []string
	}{
		"paused":            {"{on_failure: pause, at_once: 1}", "", batuta.RunFailed, []string{"web-1 on b is left of release 2", "web-2 on c is left of release 2"}},
		"paused, repairing": {"{on_failure: pause, at_once: 1}", "drift: repair\n", batuta.RunFailed, []string{"web-1 on b is left of release 2", "web-2 on c is left of release 2"}},
		"tolerated":         {"{tolerate: 1, at_once: 1}", "", batuta.RunSucceeded, []string{"web-2 on c is left of release 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.edit("environments/production.yml", "services:", c.drift+"services:")
			s := w.start(t)
			s.inProduction(t)
			if r := s.halfBad(t, c.policy); r.Status != c.status {
				t.Fatalf("%s: %s", r.Status, r.Error)
			}
			before := w.running("production")
			d := s.looks(t, "production")
			if !slices.Equal(d.Drift, c.sees) || len(d.Moves) > 0 || d.Run != 0 {
				t.Errorf("it is seen as %+v", d)
			}
			if again := s.looks(t, "production"); again.Run != 0 || !slices.Equal(w.running("production"), before) {
				t.Errorf("it is mended by run %d: %q", again.Run, w.running("production"))
			}
		})
	}
}

// TestNothingComesToASilentShip drains one ship while the other does not
// answer, and opens one that does not.
func TestNothingComesToASilentShip(t *testing.T) {
	t.Parallel()
	t.Run("that another is drained to", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		s := w.start(t)
		s.inProduction(t)
		before := w.running("production")
		defer w.cut("b")()
		d, err := s.Drain(t.Context(), "c", "ben", "")
		if err != nil || len(d.Runs) > 0 || len(d.Stuck) != 1 || d.Stuck[0].Instance != "web-2" || !strings.Contains(d.Stuck[0].Why, "no other ship") {
			t.Errorf("drain = %+v, %v", d, err)
		}
		if seen := s.looks(t, "production"); len(seen.Drift)+len(seen.Moves) > 0 || !slices.Equal(w.running("production"), before) {
			t.Errorf("it is seen as %+v, and %q run", seen, w.running("production"))
		}
	})
	t.Run("that is opened", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		s := w.start(t)
		if err := s.MarkShip(t.Context(), "b", pipeline.Cordoned, "ben", ""); err != nil {
			t.Fatal(err)
		}
		s.inProduction(t)
		mend := w.cut("b")
		if err := s.MarkShip(t.Context(), "b", pipeline.Open, "ben", ""); err != nil {
			t.Fatal(err)
		}
		if seen := s.looks(t, "production"); len(seen.Drift)+len(seen.Moves) > 0 {
			t.Errorf("while it is silent, it is seen as %+v", seen)
		}
		mend()
		if seen := s.looks(t, "production"); len(seen.Moves) != 1 || seen.Run == 0 {
			t.Errorf("once it answers, it is seen as %+v", seen)
		}
	})
}

// TestOneThatMustStayKeepsNobodyFromLeaving drains a ship that has one instance
// which may run nowhere else, and deploys meanwhile.
func TestOneThatMustStayKeepsNobodyFromLeaving(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("environments/production.yml", "services:", `services:
  db: {image: "registry.example.edu/shop/db@sha256:`+strings.Repeat("1", 64)+`", count: 1, on: ["role = production", "name = b"]}`)
	s := w.start(t)
	s.inProduction(t)
	d, err := s.Drain(t.Context(), "b", "ben", "")
	if err != nil || len(d.Runs) != 1 || len(d.Stuck) != 1 || d.Stuck[0].Instance != "db-1" || d.Stuck[0].Why != "there is no other ship that it may run on" {
		t.Fatalf("drain = %+v, %v", d, err)
	}
	s.succeeds(t, d.Runs[0])
	s.succeeds(t, s.push(t, "two"))
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))
	running := w.running("production")
	if len(running) != 3 || !strings.HasPrefix(running[0], "db-1@b=") || !strings.HasPrefix(running[1], "web-1@c=") || !strings.HasPrefix(running[2], "web-2@c=") {
		t.Errorf("%q run", running)
	}
}
