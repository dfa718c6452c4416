package deployer_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// killer ends all calls of a server from its kth on, as kill -9 does: the kth
// is either not made, or made without an answer.
type killer struct {
	calls    atomic.Int64
	at       int64
	answered bool // the kth call is made
}

var errKilled = errors.New("killed")

func (k *killer) aim(h *harbour) {
	for _, s := range h.ships {
		s.Before = func(shiptest.Call) error {
			if n := k.calls.Add(1); n > k.at || n == k.at && !k.answered {
				return errKilled
			}
			return nil
		}
		s.After = func(shiptest.Call) error {
			if k.calls.Load() >= k.at {
				return errKilled
			}
			return nil
		}
	}
}

func (k *killer) stop(h *harbour) {
	for _, s := range h.ships {
		s.Before, s.After = nil, nil
	}
}

func TestApplyConvergesWhereverItIsKilled(t *testing.T) {
	fixed := strings.ReplaceAll(twoWaves, "http: 8080", `http: "8080:80"`)
	for name, c := range map[string]struct {
		before, after string
		next          shiptest.Behaviour
	}{
		"the first release":      {"services: {}", twoWaves, shiptest.Behaviour{}},
		"the next release":       {twoWaves, strings.ReplaceAll(twoWaves, "GEN}", "next}"), shiptest.Behaviour{}},
		"with fixed host ports":  {fixed, strings.ReplaceAll(fixed, "GEN}", "next}"), shiptest.Behaviour{}},
		"a release that crashes": {twoWaves, strings.ReplaceAll(twoWaves, "GEN}", "next}"), shiptest.Behaviour{Exits: true, ExitCode: 1}},
		"a crash on fixed ports": {fixed, strings.ReplaceAll(fixed, "GEN}", "next}"), shiptest.Behaviour{Exits: true, ExitCode: 1}},
		"to another ship":        {oneService, strings.ReplaceAll(oneService, "count: 2, on: {role: web}", "instances: {web-1: {ship: ship-b}, web-2: {ship: ship-a}}"), shiptest.Behaviour{}},
		"everything goes":        {twoWaves, "services: {}", shiptest.Behaviour{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, answered := range []bool{false, true} {
				for at := int64(1); killedAt(t, c.before, c.after, c.next, &killer{at: at, answered: answered}); at++ {
				}
			}
		})
	}
}

// killedAt applies the document after on top of before, is killed, applies it
// again, and compares with what an apply that was not killed leaves. It is
// false if the apply ended before the killer came.
func killedAt(t *testing.T, before, after string, next shiptest.Behaviour, k *killer) (killed bool) {
	synctest.Test(t, func(t *testing.T) {
		h, whole := newHarbour("ship-a", "ship-b"), newHarbour("ship-a", "ship-b")
		var want [2]deployer.Spec
		for n, x := range []*harbour{h, whole} {
			x.live(t, x.spec(t, before, image(1)))
			want[n] = x.spec(t, after, image(2))
			x.behave(behaves(image(2), next))
		}
		wholeOutcome, _ := whole.apply(t.Context(), want[1])

		k.aim(h)
		_, _ = h.apply(t.Context(), want[0])
		killed = k.calls.Load() >= k.at
		k.stop(h)

		outcome, err := h.apply(t.Context(), want[0])
		if outcome.Status != wholeOutcome.Status || outcome.Undone != nil {
			t.Errorf("killed at call %d (answered %v): ends %v, %v; want %s", k.at, k.answered, outcome, err, wholeOutcome.Status)
		}
		got, wanted := strings.Join(h.runs(), "\n"), strings.Join(whole.runs(), "\n")
		if got != wanted {
			t.Errorf("killed at call %d (answered %v):\n%s\nwant\n%s\n%s", k.at, k.answered, got, wanted, fmt.Sprint(err))
		}
		if wholeOutcome.Status == batuta.Live {
			if plan, err := h.Plan(t.Context(), want[0]); err != nil || !plan.Empty() {
				t.Errorf("killed at call %d (answered %v): still to do: %v\n%s", k.at, k.answered, err, plan)
			}
		}
	})
	return killed
}
