package deployer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// methods are what was asked of a ship since so many calls.
func methods(s *shiptest.Fake, since int) []string {
	var out []string
	for _, c := range s.Calls()[since:] {
		out = append(out, c.Method)
	}
	return out
}

func TestAnOrderIsRefusedWhileAnotherChangesTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, verb := range []deployer.Verb{deployer.PlayStart, deployer.PlayStop, deployer.PlayKill, deployer.PlayRestart, deployer.PlayClean} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, "web: web-1@a web-2@b web-3@b")
			s.must(t, deployer.Order{Verb: deployer.PlayStart})
			s.must(t, deployer.Order{Verb: deployer.PlayStop, Things: []string{"web-3"}})
			before := s.running()
			if _, err := s.ships["b"].Lock(t.Context(), qa, "server main run 12", time.Hour); err != nil {
				t.Fatal(err)
			}
			did, err := s.play(t, deployer.Order{Verb: verb, All: true})
			if !errors.Is(err, batuta.Conflict) || !strings.Contains(err.Error(), "qa is being changed by server main run 12") {
				t.Errorf("%s: %v", verb, err)
			}
			if len(did) > 0 || !slices.Equal(s.running(), before) || !strings.HasPrefix(s.final("web-1"), "aborted") {
				t.Errorf("%s: done: %v; running: %v; web-1: %s", verb, did, s.running(), s.final("web-1"))
			}
			if by, err := s.ships["a"].Lock(t.Context(), qa, "next", time.Second); by != "" || err != nil {
				t.Errorf("%s: the lease of a is held by %q: %v", verb, by, err)
			}
		})
	}
}

func TestAnOrderAndADeploymentMeetWhateverShipsTheyChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a web-2@b web-3@c web-4@d web-5@e")
		for _, seat := range []batuta.ShipName{"a", "b", "c"} { // of any plan, as all of these answer
			if _, err := s.ships[seat].Lock(t.Context(), qa, "server main run 12", time.Hour); err != nil {
				t.Fatal(err)
			}
			did, err := s.play(t, deployer.Order{Verb: deployer.PlayStart, Things: []string{"web-5"}})
			if !errors.Is(err, batuta.Conflict) || !strings.Contains(err.Error(), "qa is being changed by server main run 12") || len(did) > 0 {
				t.Errorf("while a deployment has %s: done: %v, %v", seat, did, err)
			}
			if err := s.ships[seat].Unlock(t.Context(), qa, "server main run 12"); err != nil {
				t.Fatal(err)
			}
		}
		s.ships["a"].Before = func(shiptest.Call) error { return batuta.Unavailable }
		if _, err := s.ships["d"].Lock(t.Context(), qa, "server main run 12", time.Hour); err != nil { // a seat in the place of a
			t.Fatal(err)
		}
		if did, err := s.play(t, deployer.Order{Verb: deployer.PlayStart, Things: []string{"web-5"}}); !errors.Is(err, batuta.Conflict) || len(did) > 0 {
			t.Errorf("while a deployment has d, and a does not answer: done: %v, %v", did, err)
		}
		if err := s.ships["d"].Unlock(t.Context(), qa, "server main run 12"); err != nil {
			t.Fatal(err)
		}
		wantDone(t, only(s.must(t, deployer.Order{Verb: deployer.PlayStart, Things: []string{"web-5"}}), "start"), "start web-5")
		for _, ship := range []batuta.ShipName{"b", "c", "d", "e"} {
			if asked := methods(s.ships[ship], 0); !slices.Contains(asked, "Lock") || !slices.Contains(asked, "Unlock") {
				t.Errorf("%s: no lease was taken and given back: %v", ship, asked)
			}
		}
	})
}

func TestAnOrderHoldsTheLeaseAndGivesItBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a")
		s.change("web-1", tcpCheck)
		s.behave(func(deployer.Instance) shiptest.Behaviour { return shiptest.Behaviour{ReadyAfter: 50 * time.Second} })
		ended := make(chan error, 1)
		go func() { _, err := s.play(t, deployer.Order{Verb: deployer.PlayStart}); ended <- err }()
		time.Sleep(45 * time.Second) // of the bubble: longer than a lease lasts
		by, err := s.ships["a"].Lock(t.Context(), qa, "thief", time.Second)
		if err != nil || !strings.HasSuffix(by, " start") {
			t.Errorf("held by %q: %v", by, err)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if by, err := s.ships["a"].Lock(t.Context(), qa, "next", time.Second); by != "" || err != nil {
			t.Errorf("afterwards it is held by %q: %v", by, err)
		}
	})
}

func TestAnOrderWithNothingToDoTakesNoLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a")
		for _, verb := range []deployer.Verb{deployer.PlayStop, deployer.PlayKill, deployer.PlayClean, deployer.PlayPull} {
			s.must(t, deployer.Order{Verb: verb, All: true})
		}
		if asked := methods(s.ships["a"], 0); slices.Contains(asked, "Lock") {
			t.Errorf("of nothing: %v", asked)
		}
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		since := len(s.ships["a"].Calls())
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		s.must(t, deployer.Order{Verb: deployer.PlayClean})
		if asked := methods(s.ships["a"], since); slices.Contains(asked, "Lock") {
			t.Errorf("of what runs: %v", asked)
		}
	})
}

func TestAnOrderWhoseLeaseIsLostUndoesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a web-2@a")
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		s.change("web-1", tcpCheck)
		s.behave(func(deployer.Instance) shiptest.Behaviour { return shiptest.Behaviour{NeverReady: true} })
		var stolen atomic.Bool
		s.ships["a"].After = func(c shiptest.Call) error {
			if c.Method == "Start" && !stolen.Swap(true) { // the lease is taken as if it had run out
				ctx := context.WithoutCancel(t.Context())
				_ = s.ships["a"].Unlock(ctx, qa, s.holderOn(t, "a"))
				_, _ = s.ships["a"].Lock(ctx, qa, "thief", time.Hour)
			}
			return nil
		}
		did, err := s.play(t, deployer.Order{Verb: deployer.PlayRestart, All: true})
		if !errors.Is(err, batuta.Conflict) || !strings.Contains(err.Error(), "qa is being changed by thief") {
			t.Errorf("%v", err)
		}
		wantDone(t, only(did, "stop", "start"), "stop web-1", "start web-1")
		if s.final("web-1") == "" || s.final("web-2") == "" {
			t.Errorf("not all came to an end: %+v", s.heard)
		}
	})
}

// holderOn is who holds the lease on a ship.
func (h *harbour) holderOn(t *testing.T, ship batuta.ShipName) string {
	t.Helper()
	by, err := h.ships[ship].Lock(context.WithoutCancel(t.Context()), qa, "who", time.Second)
	if err != nil || by == "" {
		t.Fatalf("nobody holds the lease: %q, %v", by, err)
	}
	return by
}
