package deployer_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// watch counts, at each call that changes something, the instances that have
// no running container, and keeps the highest count.
func (h *harbour) watch(instances ...batuta.InstanceName) (worst func() int) {
	var mu sync.Mutex
	most := 0
	look := func(shiptest.Call) error {
		running := map[batuta.InstanceName]bool{}
		for _, s := range h.ships {
			for _, c := range s.All() {
				running[c.Instance] = running[c.Instance] || c.State == "running"
			}
		}
		missing := 0
		for _, i := range instances {
			if !running[i] {
				missing++
			}
		}
		mu.Lock()
		defer mu.Unlock()
		most = max(most, missing)
		return nil
	}
	for _, s := range h.ships {
		s.Before, s.After = look, look
	}
	return func() int { return most }
}

func TestNothingHealthyIsTakenAwayBeforeItsReplacementIsHealthy(t *testing.T) {
	fixed := strings.ReplaceAll(twoWaves, "http: 8080", `http: "8080:80"`)
	moved := strings.ReplaceAll(twoWaves, "count: 2", "instances: {web-1: {ship: ship-b}, web-2: {ship: ship-a}}")
	ring := strings.ReplaceAll(fixed, "count: 2", "instances: {web-1: {ship: ship-a}, web-2: {ship: ship-b}}")
	gnir := strings.ReplaceAll(fixed, "count: 2", "instances: {web-1: {ship: ship-b}, web-2: {ship: ship-a}}")
	for name, c := range map[string]struct {
		before, after string
		next          shiptest.Behaviour
		away          int // how many may be away at once
	}{
		"a good release":         {twoWaves, twoWaves, shiptest.Behaviour{ReadyAfter: 2 * time.Second}, 0},
		"another ship":           {twoWaves, moved, shiptest.Behaviour{ReadyAfter: 2 * time.Second}, 0},
		"a release that crashes": {twoWaves, twoWaves, shiptest.Behaviour{Exits: true, ExitAfter: time.Second, NeverReady: true}, 0},
		"a release never ready":  {twoWaves, twoWaves, shiptest.Behaviour{NeverReady: true}, 0},
		"host ports in a ring":   {ring, gnir, shiptest.Behaviour{ReadyAfter: 2 * time.Second}, 1},
		"fixed host ports":       {fixed, fixed, shiptest.Behaviour{ReadyAfter: 2 * time.Second}, 1},
		"fixed, and it crashes":  {fixed, fixed, shiptest.Behaviour{Exits: true}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour("ship-a", "ship-b")
				h.live(t, h.spec(t, c.before, image(1)))
				h.behave(behaves(image(2), c.next))
				want := h.spec(t, strings.ReplaceAll(c.after, "GEN}", "next}"), image(2))
				worst := h.watch("db-1", "web-1", "web-2")
				_, _ = h.apply(t.Context(), want)
				if worst() > c.away {
					t.Errorf("%d instances were away at once, %d may be", worst(), c.away)
				}
				for _, s := range h.ships {
					s.Before, s.After = nil, nil
				}
				if got := len(h.runs()); got != 3 {
					t.Errorf("%d containers are left: %v", got, h.runs())
				}
			})
		})
	}
}

func TestRequirementsAreReadyFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		h.behave(func(deployer.Instance) shiptest.Behaviour { return shiptest.Behaviour{ReadyAfter: 3 * time.Second} })
		h.live(t, h.spec(t, `
services:
  c: {build: web, count: 1, requires: [b], lifecycle: {running: [{type: tcp, port: 80}]}}
  b: {build: web, count: 1, requires: [a], lifecycle: {running: [{type: tcp, port: 80}]}}
  a: {build: web, count: 2, lifecycle: {running: [{type: tcp, port: 80}]}}
`, image(1)))
		var order []string
		for _, e := range h.events {
			if word := strings.Fields(e); word[3] == "started" || word[3] == "ready" {
				order = append(order, word[0][:1]+" "+word[3])
			}
		}
		want := "a started, a started, a ready, a ready, b started, b ready, c started, c ready"
		if got := strings.Join(order, ", "); got != want {
			t.Errorf("order: %s\nwant: %s", got, want)
		}
	})
}

func TestChecksAreTriedOftenAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		h.behave(func(deployer.Instance) shiptest.Behaviour {
			return shiptest.Behaviour{ReadyAfter: 150 * time.Millisecond}
		})
		started := time.Now()
		h.live(t, h.spec(t, strings.ReplaceAll(oneService, "count: 2", "count: 1"), image(1)))
		within(t, 200*time.Millisecond, started)

		h.behave(func(deployer.Instance) shiptest.Behaviour { return shiptest.Behaviour{ReadyAfter: 20 * time.Second} })
		before := len(h.ships["ship-a"].Calls())
		h.live(t, h.spec(t, strings.ReplaceAll(oneService, "count: 2", "count: 1"), image(2)))
		probes := 0
		for _, c := range h.ships["ship-a"].Calls()[before:] {
			if c.Method == "Probe" {
				probes++
			}
		}
		if probes > 50 {
			t.Errorf("%d probes in 20 s", probes)
		}
	})
}

func TestOneShipThatHangsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b", "ship-c")
		want := h.spec(t, oneService, image(1))
		h.ships["ship-c"].Before = func(shiptest.Call) error { return shiptest.ErrHangs }
		started := time.Now()
		plan, err := h.Plan(t.Context(), want)
		if err != nil || len(plan.Unreachable) != 1 || plan.Unreachable[0].Why != "no answer for 5s" {
			t.Errorf("plan = %+v, %v", plan, err)
		}
		within(t, 5*time.Second, started)
		started = time.Now()
		if outcome, err := h.Apply(t.Context(), plan, nil); err != nil || outcome.Status != batuta.Live {
			t.Errorf("apply = %v, %v", outcome, err)
		}
		within(t, time.Second, started)
		if err := h.Down(t.Context(), qa); err == nil || !strings.Contains(err.Error(), "ship-c does not answer: no answer for 5s") {
			t.Errorf("down = %v", err)
		}
		h.wantRuns(t)
	})
}

func TestAShipThatDiesInMidDeploymentIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		var dead atomic.Bool // the lease is renewed beside the rest
		h.ships["ship-b"].Before = func(c shiptest.Call) error {
			if c.Method == "Start" {
				dead.Store(true)
			}
			if dead.Load() {
				return shiptest.ErrHangs
			}
			return nil
		}
		outcome, err := h.apply(t.Context(), h.spec(t, oneService, image(2)))
		if outcome.Status != batuta.Failed || outcome.Undone == nil || !strings.Contains(err.Error(), "replace web-2 on ship-b: the ship did not answer for 30s") {
			t.Errorf("apply = %v, %v", outcome, err)
		}
		h.ships["ship-b"].Before = nil
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running", "web-2 on ship-b: 2222 created")
	})
}
