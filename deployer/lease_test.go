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

// another is a second fleet on the same ships, as another server has it.
func (h *harbour) another(holder string) *deployer.Fleet {
	ships := map[batuta.ShipName]deployer.Ship{}
	for name, s := range h.ships {
		ships[name] = s
	}
	return deployer.New(ships, deployer.Options{Holder: holder})
}

func TestOfTwoWhoDeployAtOnceOneIsToldWhoTheOtherIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.behave(func(deployer.Instance) shiptest.Behaviour { return shiptest.Behaviour{ReadyAfter: 20 * time.Second} })
		ada, bob := h.another("ada@laptop"), h.another("server main")
		plan := func(f *deployer.Fleet, by string) deployer.Plan {
			p, err := f.Plan(t.Context(), h.spec(t, oneService, image(1)))
			if err != nil {
				t.Fatal(err)
			}
			p.By = by
			return p
		}
		hers, his, hisAgain := plan(ada, ""), plan(bob, "run 12"), plan(bob, "run 13")
		first := make(chan error, 1)
		go func() { _, err := bob.Apply(t.Context(), his, nil); first <- err }()
		time.Sleep(time.Second) // of the bubble
		for f, p := range map[*deployer.Fleet]deployer.Plan{ada: hers, bob: hisAgain} {
			outcome, err := f.Apply(t.Context(), p, nil)
			if outcome.Status != batuta.Failed || !errors.Is(err, batuta.Conflict) || !strings.Contains(err.Error(), "qa is being changed by server main run 12") {
				t.Errorf("apply = %v, %v", outcome, err)
			}
		}
		if err := <-first; err != nil {
			t.Errorf("the first: %v", err)
		}
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
		if p := plan(ada, ""); !p.Empty() {
			t.Errorf("still to do: %s", p)
		}
	})
}

// TestTwoWhoChangeDifferentShipsExcludeEachOther has two servers deploy two
// documents of one environment that have no ship in common, each with a view
// of its own of which ships answer.
func TestTwoWhoChangeDifferentShipsExcludeEachOther(t *testing.T) {
	at := func(ship string) string {
		return "\nservices:\n  web: {build: web, instances: {web-" + ship[5:] + ": {ship: " + ship + "}}, lifecycle: {running: [{type: tcp, port: 80}]}}\n"
	}
	for name, dark := range map[string]batuta.ShipName{"both see all ships": "", "one does not see the first": "ship-a"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour("ship-a", "ship-b", "ship-c", "ship-d", "ship-e")
				h.behave(func(deployer.Instance) shiptest.Behaviour { return shiptest.Behaviour{ReadyAfter: 20 * time.Second} })
				for name, s := range h.ships {
					s.Before = func(c shiptest.Call) error {
						if c.By == "ada" && name == dark {
							return &batuta.Error{Kind: batuta.Unavailable, Message: "no route to host"}
						}
						return nil
					}
				}
				ada, bob := h.another("ada@laptop"), h.another("server main")
				asAda := shiptest.As(t.Context(), "ada")
				hers, err := ada.Plan(asAda, h.spec(t, at("ship-d"), image(1)))
				if err != nil {
					t.Fatal(err)
				}
				his, err := bob.Plan(t.Context(), h.spec(t, at("ship-e"), image(1)))
				if err != nil {
					t.Fatal(err)
				}
				first := make(chan error, 1)
				go func() { _, err := bob.Apply(t.Context(), his, nil); first <- err }()
				time.Sleep(time.Second) // of the bubble
				outcome, err := ada.Apply(asAda, hers, nil)
				if outcome.Status != batuta.Failed || !errors.Is(err, batuta.Conflict) || !strings.Contains(err.Error(), "qa is being changed by server main") {
					t.Errorf("apply = %v, %v", outcome, err)
				}
				if err := <-first; err != nil {
					t.Errorf("the first: %v", err)
				}
				h.wantRuns(t, "web-e on ship-e: 1111 running")
			})
		})
	}
}

func TestOneBadShipThatIsNotChangedKeepsNobodyFromDeploying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b", "ship-c")
		h.ships["ship-a"].Before = func(c shiptest.Call) error {
			if slices.Contains([]string{"Lock", "Begin", "End"}, c.Method) {
				return &batuta.Error{Kind: batuta.Internal, Message: "no space left on device"}
			}
			return nil
		}
		onB := strings.ReplaceAll(oneService, "count: 2, on: {role: web}", "instances: {web-1: {ship: ship-b}}")
		h.live(t, h.spec(t, onB, image(1)))
		h.ships["ship-c"].Before = h.ships["ship-a"].Before
		if _, err := h.apply(t.Context(), h.spec(t, onB, image(2))); err == nil || !strings.Contains(err.Error(), "no space left on device") {
			t.Errorf("with most seats bad: %v", err)
		}
		h.wantRuns(t, "web-1 on ship-b: 1111 running")
	})
}

func TestALeaseIsKeptForAsLongAsADeploymentTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		u := deployer.Update{Watch: 10 * time.Minute}
		want := h.policy(t, oneService, image(1), u)
		ended := make(chan error, 1)
		go func() { _, err := h.apply(t.Context(), want); ended <- err }()
		for range 9 {
			time.Sleep(time.Minute) // of the bubble
			if by, err := h.ships["ship-a"].Lock(t.Context(), qa, "thief", time.Second); err != nil || by == "" {
				t.Fatalf("the lease is free, and the deployment goes on: %q, %v", by, err)
			}
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if by, err := h.ships["ship-a"].Lock(t.Context(), qa, "next", time.Second); err != nil || by != "" {
			t.Errorf("the lease is not given back: %q, %v", by, err)
		}
	})
}

func TestALeaseThatIsLostStopsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		h.live(t, h.spec(t, oneService, image(1)))
		h.behave(behaves(image(2), shiptest.Behaviour{NeverReady: true}))
		var stolen atomic.Bool
		h.ships["ship-a"].After = func(c shiptest.Call) error {
			if c.Method == "Start" && !stolen.Swap(true) { // the lease is taken as if it had run out
				_ = h.ships["ship-a"].Unlock(context.WithoutCancel(t.Context()), qa, h.holderOn(t, "ship-a"))
				_, _ = h.ships["ship-a"].Lock(context.WithoutCancel(t.Context()), qa, "thief", time.Hour)
			}
			return nil
		}
		outcome, err := h.apply(t.Context(), h.spec(t, oneService, image(2)))
		if outcome.Status != batuta.Failed || err == nil || !strings.Contains(err.Error(), "being changed by thief") || !strings.Contains(err.Error(), "nothing is undone, because another changes it") || len(outcome.Left) == 0 {
			t.Errorf("apply = %+v, %v", outcome, err)
		}
		for _, c := range h.ships["ship-a"].Calls() {
			if c.Method == "Remove" {
				t.Error("something was removed after the lease was lost")
			}
		}
	})
}

func TestNothingToDoTakesNoLeaseAndAsksNoFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		before := len(h.ships["ship-a"].Calls())
		h.live(t, h.spec(t, oneService, image(1)))
		for _, c := range h.ships["ship-a"].Calls()[before:] {
			if slices.Contains([]string{"Lock", "Unlock", "Facts", "Prune", "RemoveNetwork"}, c.Method) {
				t.Errorf("%s", c.Method)
			}
		}
	})
}

// TestWhatWasCutShortIsTakenUpToItsEnd leaves ships as a server does that is
// killed when all runs and nothing is said to be done.
func TestWhatWasCutShortIsTakenUpToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		server := h.another("server main")
		plan, err := server.Plan(t.Context(), h.spec(t, oneService, image(1)))
		if err != nil || !plan.Empty() {
			t.Fatalf("plan = %v, %v", plan, err)
		}
		for _, s := range h.ships {
			if by, err := s.Lock(t.Context(), qa, "server main run 12", time.Hour); err != nil || by != "" {
				t.Fatalf("lock: %q, %v", by, err)
			}
			if _, err := s.Begin(t.Context(), qa, deployer.Note{Change: "of run 12"}); err != nil {
				t.Fatal(err)
			}
		}
		plan.By, plan.Resumed = "run 12", true
		if outcome, err := server.Apply(t.Context(), plan, nil); err != nil || outcome.Status != batuta.Live {
			t.Errorf("apply = %+v, %v", outcome, err)
		}
		for name, s := range h.ships {
			if by, err := s.Lock(t.Context(), qa, "ada@laptop", time.Hour); err != nil || by != "" {
				t.Errorf("%s is locked by %q (%v)", name, by, err)
			}
			if n, err := s.Begin(t.Context(), qa, deployer.Note{Change: "of ada"}); err != nil || n.Change != "of ada" {
				t.Errorf("%s has the note %+v (%v)", name, n, err)
			}
		}
	})
}

// TestTheLeaseOfARunThatWasCutShortIsOutwaited has a server find the lease of
// another of its runs, which a server before it left when it was killed.
func TestTheLeaseOfARunThatWasCutShortIsOutwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		for _, s := range h.ships {
			if by, err := s.Lock(t.Context(), qa, "server main run 12", 30*time.Second); err != nil || by != "" {
				t.Fatalf("lock: %q, %v", by, err)
			}
		}
		server, began := h.another("server main"), time.Now()
		plan, err := server.Plan(t.Context(), h.spec(t, oneService, image(1)))
		if err != nil {
			t.Fatal(err)
		}
		plan.By = "run 13"
		var said []string
		outcome, err := server.Apply(t.Context(), plan, func(e deployer.Event) { said = append(said, e.Text) })
		if err != nil || outcome.Status != batuta.Live {
			t.Errorf("apply = %+v, %v", outcome, err)
		}
		if took := time.Since(began); took < 29*time.Second || took > time.Minute {
			t.Errorf("it took %s", took)
		}
		if text := strings.Join(said, "\n"); strings.Count(text, "waiting until its lease ends: qa is being changed by server main run 12") != 1 {
			t.Errorf("it says\n%s", text)
		}
	})
}

func TestPreflightTellsAllProblemsAtOnceBeforeAnythingIsTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b", "ship-c")
		h.ships["ship-a"].Own = deployer.Facts{API: "1.41", DiskFree: 100 << 20}
		h.ships["ship-b"].Own = deployer.Facts{API: "1.40", DiskFree: 100 << 30}
		h.ships["ship-c"].Before = func(c shiptest.Call) error {
			if c.Method == "Facts" {
				return &batuta.Error{Kind: batuta.Unavailable, Message: "ship ship-c does not answer", Err: errors.New("reset")}
			}
			return nil
		}
		outcome, err := h.apply(t.Context(), h.spec(t, strings.ReplaceAll(oneService, "count: 2", "count: 3"), image(1)))
		if outcome.Status != batuta.Failed {
			t.Errorf("outcome = %v", outcome)
		}
		for _, want := range []string{"ship-a has 100 MiB of disk left, and at least 512 MiB are needed", "ship-b speaks API 1.40, and at least 1.41 is needed", "ship-c does not say what it is: reset"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %s\nerror: %v", want, err)
			}
		}
		for _, s := range h.ships {
			for _, c := range s.Calls() {
				if c.Changes() {
					t.Errorf("%s on %s", c.Method, c.Ship)
				}
			}
		}
	})
}
