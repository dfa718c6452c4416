package deployer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// hooked gives the service web a hook at a moment.
func hooked(want deployer.Spec, set func(*deployer.Hooks, []deployer.Hook), command ...string) deployer.Spec {
	i := want.Instances[len(want.Instances)-1]
	i.Name, i.Command = "", command
	s := want.Services["web"]
	set(&s.Hooks, []deployer.Hook{{Instance: i, Timeout: time.Minute}})
	services := map[batuta.ServiceName]deployer.Service{"web": s}
	want.Services = services
	return want
}

func before(h *deployer.Hooks, hooks []deployer.Hook)    { h.Before = hooks }
func after(h *deployer.Hooks, hooks []deployer.Hook)     { h.After = hooks }
func onFailure(h *deployer.Hooks, hooks []deployer.Hook) { h.OnFailure = hooks }

// commands makes containers of these commands end as told, and all others run.
func commands(ends map[string]shiptest.Behaviour) func(deployer.Instance) shiptest.Behaviour {
	return func(i deployer.Instance) shiptest.Behaviour { return ends[strings.Join(i.Command, " ")] }
}

func migrates(code int) map[string]shiptest.Behaviour {
	return map[string]shiptest.Behaviour{
		"migrate": {Exits: true, ExitAfter: 5 * time.Second, ExitCode: code, Prints: []string{"12 tables"}},
		"hang":    {},
	}
}

func TestAHookBeforeGatesTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, twoWaves, image(1)))
		h.behave(commands(migrates(0)))
		next := strings.ReplaceAll(twoWaves, "GEN}", "next}")
		h.events = nil
		h.live(t, hooked(h.spec(t, next, image(2)), before, "migrate"))
		var order []string
		for _, e := range h.events {
			for _, word := range []string{"db-1 on ship-a: ready", "12 tables", "hook before of web is done", "web-1 on ship-b: created"} {
				if strings.Contains(e, word) {
					order = append(order, word)
				}
			}
		}
		if want := []string{"db-1 on ship-a: ready", "12 tables", "hook before of web is done", "web-1 on ship-b: created"}; !slices.Equal(order, want) {
			t.Errorf("order = %q, want %q", order, want)
		}
		h.wantRuns(t, "db-1 on ship-a: dddd running", "web-1 on ship-b: 2222 running", "web-2 on ship-a: 2222 running")

		h.events = nil
		h.live(t, hooked(h.spec(t, next, image(2)), before, "migrate"))
		if slices.ContainsFunc(h.events, func(e string) bool { return strings.Contains(e, "hook") }) {
			t.Errorf("the hook ran, and nothing of the service changed: %q", h.events)
		}
	})
}

func TestAHookThatIsCancelledMayEndOfItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, twoWaves, image(1)))
		h.behave(commands(map[string]shiptest.Behaviour{"migrate": {IgnoresTERM: true, Prints: []string{"12 tables"}}}))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		calls := h.order("Stop")
		began := time.Now()
		h.events = nil
		outcome, err := h.apply(ctx, hooked(h.spec(t, twoWaves, image(2)), before, "migrate"))
		if outcome.Status != batuta.Cancelled || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "migrate: context deadline exceeded 30s after it began, and what it has done is not undone") {
			t.Errorf("apply = %v, %v", outcome, err)
		}
		if took, stopped := time.Since(began), calls(); took < 40*time.Second || took > 50*time.Second || stopped != "web-before-1" {
			t.Errorf("it took %s, stopped %s; want 10 s for the hook to end", took, stopped)
		}
		for _, word := range []string{"migrate is asked to end, and has 10s for it", "12 tables"} {
			if !slices.ContainsFunc(h.events, func(e string) bool { return strings.Contains(e, word) }) {
				t.Errorf("no word of %q: %q", word, h.events)
			}
		}
		h.wantRuns(t, "db-1 on ship-a: dddd running", "web-1 on ship-b: 1111 running", "web-2 on ship-a: 1111 running")
	})
}

func TestAHookThatFailsEndsTheDeployment(t *testing.T) {
	for name, c := range map[string]struct {
		set     func(*deployer.Hooks, []deployer.Hook)
		command string
		code    int
		want    string
		status  batuta.DeploymentStatus
	}{
		"before":               {before, "migrate", 1, "hook before of web on ship-b: migrate: exited 1\nthe last it printed:\n  12 tables", batuta.Failed},
		"before, and it hangs": {before, "hang", 0, "hook before of web on ship-b: hang: not done within 1m0s", batuta.Failed},
		"after":                {after, "migrate", 1, "hook after of web on ship-b: migrate: exited 1", batuta.RolledBack},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour("ship-a", "ship-b")
				h.live(t, h.spec(t, oneService, image(1)))
				h.behave(commands(migrates(c.code)))
				outcome, err := h.apply(t.Context(), hooked(h.spec(t, oneService, image(2)), c.set, c.command))
				if outcome.Status != c.status || err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("apply = %v, %v; want %s, %s", outcome, err, c.status, c.want)
				}
				h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
			})
		})
	}
}

func TestAHookOnFailureRunsWhenAllIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		h.live(t, h.spec(t, oneService, image(1)))
		h.behave(func(i deployer.Instance) shiptest.Behaviour {
			if len(i.Command) > 0 {
				return migrates(0)["migrate"]
			}
			return shiptest.Behaviour{Exits: true, ExitCode: 1}
		})
		outcome, _ := h.apply(t.Context(), hooked(h.spec(t, oneService, image(2)), onFailure, "migrate"))
		if outcome.Status != batuta.RolledBack || !strings.Contains(h.events[len(h.events)-1], "hook on_failure of web is done") {
			t.Errorf("outcome %v, events %q", outcome, h.events)
		}
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-a: 1111 running")
	})
}

func TestAHookThatWasInterruptedIsNoInstanceAndRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		h.live(t, h.spec(t, oneService, image(1)))
		h.behave(commands(migrates(1)))
		want := hooked(h.spec(t, oneService, image(2)), before, "migrate")
		k := &killer{at: 1 << 30}
		k.aim(h)
		time.AfterFunc(2*time.Second, func() { k.calls.Store(k.at) }) // in the middle of the hook
		_, _ = h.apply(t.Context(), want)
		k.stop(h)
		if len(h.runs()) != 3 {
			t.Fatalf("nothing was interrupted: %v", h.runs())
		}
		if states, _ := h.Status(t.Context(), qa); len(states) != 2 {
			t.Errorf("the hook is shown as an instance: %+v", states)
		}
		plan, err := h.Plan(t.Context(), want)
		if err != nil || !strings.Contains(plan.String(), "hooks that were interrupted run again, unless they ended well: 1") || strings.Contains(plan.String(), "stop 1") {
			t.Errorf("plan = %v\n%s", err, plan)
		}
		h.behave(commands(migrates(0)))
		h.events = nil
		h.live(t, want)
		if !slices.ContainsFunc(h.events, func(e string) bool { return strings.Contains(e, "hook before of web is done") }) {
			t.Errorf("the hook did not run again: %q", h.events)
		}
		h.wantRuns(t, "web-1 on ship-a: 2222 running", "web-2 on ship-a: 2222 running")
	})
}

// TestAHookAfterIsNotLostWhereverItIsKilled kills a first deployment, of which
// nothing but the hook may be left to do.
func TestAHookAfterIsNotLostWhereverItIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for at := int64(1); ; at++ {
			h := newHarbour("ship-a", "ship-b")
			h.behave(commands(migrates(0)))
			want := hooked(h.spec(t, oneService, image(2)), after, "migrate")
			k := &killer{at: at / 2, answered: at%2 == 0}
			k.aim(h)
			_, _ = h.apply(t.Context(), want)
			killed := k.calls.Load() >= k.at
			k.stop(h)
			h.live(t, want)
			if !slices.ContainsFunc(h.events, func(e string) bool { return strings.Contains(e, "hook after of web is done") }) {
				t.Errorf("killed at call %d (answered %v): the hook never ran: %q", k.at, k.answered, h.events)
			}
			h.wantRuns(t, "web-1 on ship-a: 2222 running", "web-2 on ship-b: 2222 running")
			if !killed || t.Failed() {
				return
			}
		}
	})
}

func TestAHookAfterIsNotLostWhenItIsSuspended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.behave(commands(migrates(0)))
		want := hooked(h.spec(t, oneService, image(2)), after, "migrate")
		ctx, suspend := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { suspend(deployer.ErrSuspended) }) // in the middle of the hook
		if outcome, _ := h.apply(ctx, want); outcome.Status != batuta.Applying || len(h.runs()) != 3 {
			t.Fatalf("outcome %v; on the ships: %v", outcome, h.runs())
		}
		h.events = nil
		h.live(t, want)
		if !slices.ContainsFunc(h.events, func(e string) bool { return strings.Contains(e, "hook after of web is done") }) {
			t.Errorf("the hook did not run again: %q", h.events)
		}
		h.wantRuns(t, "web-1 on ship-a: 2222 running", "web-2 on ship-b: 2222 running")
	})
}

// TestApplyConvergesWhereverItIsKilledWithAHook wants what a hook did before the
// killing not to be done twice.
func TestApplyConvergesWhereverItIsKilledWithAHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for at := int64(1); ; at++ {
			h := newHarbour("ship-a", "ship-b")
			h.live(t, h.spec(t, oneService, image(1)))
			h.behave(commands(migrates(0)))
			want := hooked(h.policy(t, oneService, image(2), deployer.Update{AtOnce: deployer.Amount{N: 1}, Watch: 3 * time.Second}), before, "migrate")
			k := &killer{at: at, answered: at%2 == 0}
			k.aim(h)
			_, _ = h.apply(t.Context(), want)
			killed := k.calls.Load() >= k.at
			k.stop(h)
			h.live(t, want)
			done := slices.DeleteFunc(slices.Clone(h.events), func(e string) bool { return !strings.Contains(e, "hook before of web is done") })
			if len(done) > 1 {
				t.Errorf("killed at call %d: the hook was done, and ran again: %q", k.at, done)
			}
			h.wantRuns(t, "web-1 on ship-a: 2222 running", "web-2 on ship-b: 2222 running")
			if !killed || t.Failed() {
				return
			}
		}
	})
}
