package deployer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

func hangs(shiptest.Call) error { return shiptest.ErrHangs }

func TestADeadShipIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b", "ship-c")
		want := h.spec(t, oneService, image(1))
		h.ships["ship-c"].Before = hangs
		took := func() time.Duration {
			started := time.Now()
			if _, unreachable := h.Status(t.Context(), qa); unreachable["ship-c"] != "no answer for 5s" {
				t.Errorf("unreachable = %v", unreachable)
			}
			return time.Since(started)
		}
		if got := took(); got != 5*time.Second {
			t.Errorf("the first question took %s", got)
		}
		if got := took(); got != 300*time.Millisecond {
			t.Errorf("the second question took %s", got)
		}
		started := time.Now()
		h.live(t, want)
		within(t, time.Second, started)

		time.Sleep(30 * time.Second)
		if got := took(); got != 5*time.Second {
			t.Errorf("after half a minute it took %s", got)
		}
		h.ships["ship-c"].Before = nil
		if _, unreachable := h.Status(t.Context(), qa); len(unreachable) != 0 {
			t.Errorf("it is back, and unreachable: %v", unreachable)
		}
		h.ships["ship-c"].Before = hangs
		if got := took(); got != 5*time.Second {
			t.Errorf("after an answer it took %s", got)
		}
	})
}

func TestAShipThatIsNeededGetsItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		want := h.spec(t, oneService, image(1))
		h.ships["ship-b"].Before = hangs
		h.Observe(t.Context(), qa)
		have := h.Observe(t.Context(), qa)
		h.ships["ship-b"].Before = nil // it is back
		plan := deployer.Diff(want, have)
		if len(plan.Unreachable) != 1 {
			t.Fatalf("the plan knows all ships: %v", have)
		}
		if outcome, err := h.Apply(t.Context(), plan, nil); !errors.Is(err, batuta.Conflict) {
			t.Errorf("apply = %v, %v; want to be told to plan again", outcome, err)
		}
		if plan := h.Compare(t.Context(), want, have); len(plan.Unreachable) != 0 {
			t.Errorf("it is needed, and still unreachable:\n%s", plan)
		}
		h.live(t, want)
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
	})
}

func TestWhyAShipIsSilentIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		h.ships["ship-a"].Before = func(shiptest.Call) error {
			return &batuta.Error{Kind: batuta.Unavailable, Message: "ship ship-a does not answer: list containers", Err: errors.New("no route to host")}
		}
		const want = "ship ship-a does not answer, and web-1, web-2 should run there: no route to host"
		if _, err := h.apply(t.Context(), h.spec(t, oneService, image(1))); err == nil || err.Error() != want {
			t.Errorf("apply: %v\nwant %s", err, want)
		}
		if err := h.Down(t.Context(), qa); err == nil || err.Error() != "ship ship-a does not answer: no route to host" {
			t.Errorf("down: %v", err)
		}
	})
}

func TestACallerThatLeavesSaysNothingAboutTheShip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		h.ships["ship-a"].Before = hangs
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		h.Observe(ctx, qa)
		started := time.Now()
		h.Observe(t.Context(), qa)
		if took := time.Since(started); took != 5*time.Second {
			t.Errorf("the ship was given %s", took)
		}
	})
}
