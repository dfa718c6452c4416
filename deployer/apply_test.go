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

func TestApplyReplacesOnlyWhatIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")

		h.behave(behaves(image(2), shiptest.Behaviour{ReadyAfter: 5 * time.Second}))
		var stops atomic.Int32
		for _, s := range h.ships {
			s.Before = func(c shiptest.Call) error {
				if c.Method == "Stop" {
					stops.Add(1)
				}
				return nil
			}
		}
		started := time.Now()
		h.live(t, h.spec(t, oneService, image(2)))
		if took := time.Since(started); took < 5*time.Second || stops.Load() != 2 {
			t.Errorf("took %s, stopped %d", took, stops.Load())
		}
		h.wantRuns(t, "web-1 on ship-a: 2222 running", "web-2 on ship-b: 2222 running")
	})
}

func TestApplyOfNothingToDoTouchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		before := len(h.ships["ship-a"].Calls())
		started := time.Now()
		h.live(t, h.spec(t, oneService, image(1)))
		within(t, 0, started)
		for _, c := range h.ships["ship-a"].Calls()[before:] {
			if c.Changes() {
				t.Errorf("%s of %s", c.Method, c.Instance)
			}
		}
	})
}

func TestApplyPutsBackWhatRanBefore(t *testing.T) {
	for name, c := range map[string]struct {
		next   shiptest.Behaviour
		within time.Duration
		want   string
	}{
		"a crash": {
			shiptest.Behaviour{Exits: true, ExitAfter: 300 * time.Millisecond, ExitCode: 4, NeverReady: true, Prints: []string{"no database at hush-dsn"}},
			2 * time.Second,
			"replace web-1 on ship-a: exited 4\nthe last it printed:\n  no database at ***",
		},
		"never ready": {
			shiptest.Behaviour{NeverReady: true, Prints: []string{"warming up"}},
			45 * time.Second,
			"replace web-1 on ship-a: http :8080/up: connection refused for 30s\nthe last it printed:\n  warming up",
		},
		"a crash just after it was ready": {
			shiptest.Behaviour{Exits: true, ExitAfter: 50 * time.Millisecond},
			2 * time.Second,
			"replace web-1 on ship-a: exited 0\nthe last it printed:\n  (nothing)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour("ship-a")
				document := strings.ReplaceAll(oneService, "count: 2", "count: 1, env: {DSN: 'tcp://${secret:dsn}/'}")
				h.live(t, h.spec(t, document, image(1)))
				h.behave(behaves(image(2), c.next))
				started := time.Now()
				outcome, err := h.apply(t.Context(), h.spec(t, document, image(2)))
				within(t, c.within, started)
				if outcome.Status != batuta.RolledBack || !errors.Is(err, batuta.Unhealthy) || err.Error() != c.want {
					t.Errorf("apply = %v, %v\nwant %s", outcome, err, c.want)
				}
				h.wantRuns(t, "web-1 on ship-a: 1111 running")
			})
		})
	}
}

func TestApplyPutsBackEarlierWaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		first := h.spec(t, twoWaves, image(1))
		h.live(t, first)
		h.behave(behaves(image(2), shiptest.Behaviour{NeverReady: true}))
		outcome, err := h.apply(t.Context(), h.spec(t, strings.ReplaceAll(twoWaves, "GEN}", "next}"), image(2)))
		if outcome.Status != batuta.RolledBack || err == nil {
			t.Fatalf("apply = %v, %v", outcome, err)
		}
		plan, err := h.Plan(t.Context(), first)
		if err != nil || !plan.Empty() {
			t.Errorf("after the rollback the first release is not what runs: %v\n%s", err, plan)
		}
		h.wantRuns(t, "db-1 on ship-a: dddd running", "web-1 on ship-b: 1111 running", "web-2 on ship-a: 1111 running")
	})
}

func TestApplyThatFailsFirstLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		h.behave(behaves(image(1), shiptest.Behaviour{Exits: true, ExitCode: 1}))
		outcome, err := h.apply(t.Context(), h.spec(t, oneService, image(1)))
		if outcome.Status != batuta.Failed || outcome.Undone != nil || !errors.Is(err, batuta.Unhealthy) {
			t.Errorf("apply = %v, %v", outcome, err)
		}
		h.wantRuns(t)
	})
}

func TestApplyTouchesNothingIfAShipIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b", "ship-c")
		h.live(t, h.spec(t, oneService, image(1)))
		want := h.spec(t, oneService, image(2))
		cutOff(h.ships["ship-b"])
		calls := len(h.ships["ship-a"].Calls())
		outcome, err := h.apply(t.Context(), want)
		if outcome.Status != batuta.Failed || !errors.Is(err, batuta.Unavailable) || !strings.Contains(err.Error(), "ship-b does not answer, and web-2 should run there") {
			t.Errorf("apply = %v, %v", outcome, err)
		}
		for _, c := range h.ships["ship-a"].Calls()[calls:] {
			if c.Changes() {
				t.Errorf("%s of %s", c.Method, c.Instance)
			}
		}
	})
}

func TestApplyGoesOnWithoutAShipThatIsNotNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b", "ship-c")
		want := h.spec(t, oneService, image(1))
		cutOff(h.ships["ship-c"])
		h.live(t, want)
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
	})
}

// cutOff makes a ship unreachable.
func cutOff(s *shiptest.Fake) {
	s.Before = func(shiptest.Call) error {
		return &batuta.Error{Kind: batuta.Unavailable, Message: "connection refused"}
	}
}

func TestApplyPullsEverywhereBeforeAnythingIsTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		tries := 0
		h.ships["ship-b"].Before = func(c shiptest.Call) error {
			if c.Method == "Pull" {
				tries++
				return &batuta.Error{Kind: batuta.Unavailable, Message: "the registry does not answer"}
			}
			return nil
		}
		outcome, err := h.apply(t.Context(), h.spec(t, oneService, image(2)))
		if outcome.Status != batuta.Failed || !errors.Is(err, batuta.Unavailable) || tries != 3 {
			t.Errorf("apply = %v, %v after %d tries", outcome, err, tries)
		}
		for _, c := range h.ships["ship-a"].Calls() {
			if c.Method == "Stop" {
				t.Error("something was stopped")
			}
		}
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
	})
}

func TestWhatCouldNotBeRemovedIsNotSaidToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		h.behave(behaves(image(1), shiptest.Behaviour{Exits: true, ExitCode: 1}))
		h.ships["ship-a"].Before = func(c shiptest.Call) error {
			if c.Method == "Remove" {
				return &batuta.Error{Kind: batuta.Conflict, Message: "it cannot be removed"}
			}
			return nil
		}
		outcome, _ := h.apply(t.Context(), h.spec(t, oneService, image(1)))
		if outcome.Undone == nil || slices.ContainsFunc(h.events, func(e string) bool { return strings.Contains(e, "removed") }) {
			t.Errorf("undone = %v; events %q", outcome.Undone, h.events)
		}
	})
}

func TestApplyStopsFirstWhereTheHostPortIsFixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		document := strings.ReplaceAll(oneService, "http: 8080", `http: "8080:80"`)
		h.live(t, h.spec(t, document, image(1)))
		h.live(t, h.spec(t, document, image(2)))
		h.wantRuns(t, "web-1 on ship-a: 2222 running", "web-2 on ship-b: 2222 running")

		h.behave(behaves(image(3), shiptest.Behaviour{Exits: true, ExitCode: 1}))
		outcome, err := h.apply(t.Context(), h.spec(t, document, image(3)))
		if outcome.Status != batuta.RolledBack || err == nil {
			t.Errorf("apply = %v, %v", outcome, err)
		}
		h.wantRuns(t, "web-1 on ship-a: 2222 running", "web-2 on ship-b: 2222 running")
	})
}

func TestApplySwapsHostPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		document := `
services:
  web:
    build: web
    instances:
      web-1: {ship: ship-a, ports: {http: "8080:ONE"}}
      web-2: {ship: ship-a, ports: {http: "8080:TWO"}}
`
		ports := func(one, two string) string {
			return strings.NewReplacer("ONE", one, "TWO", two).Replace(document)
		}
		h.live(t, h.spec(t, ports("80", "81"), image(1)))
		h.live(t, h.spec(t, ports("81", "80"), image(1)))
		h.behave(behaves(image(2), shiptest.Behaviour{Exits: true}))
		before := h.spec(t, ports("81", "80"), image(1))
		if outcome, err := h.apply(t.Context(), h.spec(t, ports("80", "81"), image(2))); outcome.Status != batuta.RolledBack || outcome.Undone != nil {
			t.Errorf("apply = %v, %v", outcome, err)
		}
		if plan, err := h.Plan(t.Context(), before); err != nil || !plan.Empty() {
			t.Errorf("the rollback left %v\n%s", err, plan)
		}
	})
}

func TestApplyCancelledPutsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		h.behave(behaves(image(2), shiptest.Behaviour{NeverReady: true}))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		outcome, err := h.apply(ctx, h.spec(t, oneService, image(2)))
		if outcome.Status != batuta.Cancelled || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("apply = %v, %v", outcome, err)
		}
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
	})
}

func TestApplySuspendedStaysWhereItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		h.behave(behaves(image(2), shiptest.Behaviour{ReadyAfter: 10 * time.Second}))
		ctx, suspend := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { suspend(deployer.ErrSuspended) })
		want := h.spec(t, oneService, image(2))
		outcome, err := h.apply(ctx, want)
		if outcome.Status != batuta.Applying || !errors.Is(err, deployer.ErrSuspended) || len(h.runs()) != 4 {
			t.Errorf("apply = %v, %v; %v", outcome, err, h.runs())
		}
		h.live(t, want)
		h.wantRuns(t, "web-1 on ship-a: 2222 running", "web-2 on ship-b: 2222 running")
	})
}

func TestApplyRefusesAPlanOfAnotherWorld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		plan, err := h.Plan(t.Context(), h.spec(t, oneService, image(2)))
		if err != nil {
			t.Fatal(err)
		}
		h.live(t, h.spec(t, oneService, image(1)))
		if outcome, err := h.Apply(t.Context(), plan, nil); !errors.Is(err, batuta.Conflict) {
			t.Errorf("apply = %v, %v; want a conflict", outcome, err)
		}
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
	})
}

func TestApplyStopsOrphansAndScalesDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, twoWaves, image(1)))
		h.live(t, h.spec(t, strings.ReplaceAll(oneService, "count: 2", "count: 1"), image(1)))
		h.wantRuns(t, "web-1 on ship-b: 1111 running")
	})
}

func TestApplyRestartsWhatWasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		want := h.spec(t, oneService, image(1))
		h.live(t, want)
		id := h.ships["ship-a"].All()[0].ID
		if err := h.ships["ship-a"].Stop(t.Context(), id, 0); err != nil {
			t.Fatal(err)
		}
		h.live(t, want)
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-a: 1111 running")
		if !slices.ContainsFunc(h.ships["ship-a"].All(), func(c deployer.Container) bool { return c.ID == id }) {
			t.Error("it was made anew")
		}
	})
}

func TestDownRemovesTheScopeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		other := h.spec(t, oneService, image(1))
		other.Scope.Environment = "production"
		h.live(t, other)
		if err := h.Down(t.Context(), qa); err != nil {
			t.Fatal(err)
		}
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
	})
}

func TestStatusGivesURLs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, strings.ReplaceAll(oneService, "http: 8080", `http: "8080:80"`), image(1)))
		cutOff(h.ships["ship-b"])
		states, unreachable := h.Status(t.Context(), qa)
		if len(states) != 1 || !slices.Equal(states[0].URLs, []string{"http://10.0.0.1:80"}) || states[0].State != "running" || states[0].Release != 7 {
			t.Errorf("status = %+v", states)
		}
		if unreachable["ship-b"] != "connection refused" {
			t.Errorf("unreachable = %v", unreachable)
		}
	})
}
