package deployer_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// TestAReleaseOfWhichNothingIsLeftIsNotLive has all instances fall over while
// they are watched, of a service that tolerates any number of failures.
func TestAReleaseOfWhichNothingIsLeftIsNotLive(t *testing.T) {
	u := deployer.Update{Tolerate: deployer.Amount{Percent: 100}, Watch: time.Minute}
	falls := behaves(image(2), shiptest.Behaviour{Exits: true, ExitAfter: 20 * time.Second, ExitCode: 7})
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.behave(falls)
		outcome, err := h.apply(t.Context(), h.policy(t, oneService, image(2), u))
		if outcome.Status != batuta.Failed || err == nil || !strings.Contains(err.Error(), "no instance of it is left as declared") {
			t.Errorf("what is new: %+v, %v", outcome, err)
		}
		h.wantRuns(t)
	})
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.policy(t, oneService, image(1), u))
		h.behave(falls)
		outcome, err := h.apply(t.Context(), h.policy(t, oneService, image(2), u))
		if outcome.Status != batuta.RolledBack || err == nil {
			t.Errorf("what replaces another: %+v, %v", outcome, err)
		}
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
	})
}

func TestAPausedCanaryIsSaidToHaveFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		u := deployer.Update{Pause: true, Canary: deployer.Amount{N: 1}}
		h.live(t, h.policy(t, oneService, image(1), u))
		h.behave(behaves(image(2), shiptest.Behaviour{Exits: true, ExitAfter: 5 * time.Second, ExitCode: 9}))
		_, err := h.apply(t.Context(), h.policy(t, oneService, image(2), u))
		if err == nil || !strings.Contains(err.Error(), "web-1 on ship-a: the new container has failed") {
			t.Errorf("apply = %v", err)
		}
	})
}

// TestWhatAnInstanceNeedsIsReplacedWithIt changes an instance whose network
// another has.
func TestWhatAnInstanceNeedsIsReplacedWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		text := func(version string) string {
			return `
services:
  web:
    build: web
    instances:
      helps: {ship: ship-a, net: "container:main"}
      main: {ship: ship-a, env: {V: "` + version + `"}}
      other: {ship: ship-a}
`
		}
		h.live(t, h.spec(t, text("1"), image(1)))
		created := h.order("Create")
		plan, err := h.Plan(t.Context(), h.spec(t, text("2"), image(1)))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"helps on ship-a: stop, then start (it has the network of main): main changes, which it needs", "unavailable while it is replaced, one after the other: helps"} {
			if !strings.Contains(plan.String(), line) {
				t.Errorf("the plan does not say %q:\n%s", line, plan)
			}
		}
		h.live(t, h.spec(t, text("2"), image(1)))
		if got := created(); got != "main | helps" {
			t.Errorf("created %s", got)
		}
		again, err := h.Plan(t.Context(), h.spec(t, text("2"), image(1)))
		if err != nil || !again.Empty() {
			t.Errorf("then it plans, %v:\n%s", err, again)
		}
	})
}

// TestWhatAnInstanceNeedsIsThereFirst has instances of one service take another
// one's volumes and network.
func TestWhatAnInstanceNeedsIsThereFirst(t *testing.T) {
	const peers = `
services:
  web:
    build: web
    instances:
      a-taps: {ship: ship-a, net: "container:b-helps"}
      b-helps: {ship: ship-a, volumes_from: [main]}
      main: {ship: ship-a}
`
	for name, u := range map[string]deployer.Update{"all at once": {}, "two at once": {AtOnce: deployer.Amount{N: 2}}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour("ship-a")
				created := h.order("Create")
				h.live(t, h.policy(t, peers, image(1), u))
				if got := created(); got != "main | b-helps | a-taps" {
					t.Errorf("created %s", got)
				}
			})
		})
	}
}
