package deployer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

var fourInstances = strings.ReplaceAll(oneService, "count: 2", "count: 4")

// policy is a specification of the service web with an update policy.
func (h *harbour) policy(t *testing.T, text string, web batuta.Image, u deployer.Update) deployer.Spec {
	t.Helper()
	want := h.spec(t, text, web)
	want.Services = map[batuta.ServiceName]deployer.Service{"web": {Update: u}}
	return want
}

// oneBehaves makes the containers of one instance of one image behave so.
func oneBehaves(of batuta.Image, i batuta.InstanceName, how shiptest.Behaviour) func(deployer.Instance) shiptest.Behaviour {
	return func(x deployer.Instance) shiptest.Behaviour {
		if x.Image == of && x.Name == i {
			return how
		}
		return shiptest.Behaviour{}
	}
}

// order records the calls of a method, as the instances they are about, with a
// bar where time went by between two.
func (h *harbour) order(method string) func() string {
	var mu sync.Mutex
	var out []string
	last := time.Now()
	var round []string
	flush := func() {
		slices.Sort(round)
		if len(round) > 0 {
			out = append(out, strings.Join(round, " "))
		}
		round = nil
	}
	for _, s := range h.ships {
		s.Before = func(c shiptest.Call) error {
			if c.Method != method {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if time.Since(last) > 0 {
				flush()
			}
			last, round = time.Now(), append(round, string(c.Instance))
			return nil
		}
	}
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		flush()
		return strings.Join(out, " | ")
	}
}

// slow has each call of a method take its time.
func slow(s *shiptest.Fake, method string, takes time.Duration) {
	inner := s.Before
	s.Before = func(c shiptest.Call) error {
		if c.Method == method {
			time.Sleep(takes)
		}
		return inner(c)
	}
}

func TestBatches(t *testing.T) {
	fixed := strings.ReplaceAll(fourInstances, "http: 8080", `http: "8080:80"`)
	for name, c := range map[string]struct {
		text  string
		ships []batuta.ShipName
		u     deployer.Update
		want  string
		least time.Duration
	}{
		"all at once":              {fourInstances, []batuta.ShipName{"ship-a", "ship-b"}, deployer.Update{}, "web-1 web-2 web-3 web-4", 0},
		"two at once, and a wait":  {fourInstances, []batuta.ShipName{"ship-a", "ship-b"}, deployer.Update{AtOnce: deployer.Amount{N: 2}, Wait: time.Minute}, "web-1 web-2 | web-3 web-4", time.Minute},
		"a quarter at once":        {fourInstances, []batuta.ShipName{"ship-a"}, deployer.Update{AtOnce: deployer.Amount{Percent: 25}}, "web-1 | web-2 | web-3 | web-4", 0},
		"a canary, then the rest":  {fourInstances, []batuta.ShipName{"ship-a", "ship-b"}, deployer.Update{Canary: deployer.Amount{N: 1}, Watch: 30 * time.Second}, "web-1 | web-2 web-3 web-4", time.Minute},
		"one after the other":      {fixed, []batuta.ShipName{"ship-a", "ship-b", "ship-c", "ship-d"}, deployer.Update{}, "web-1 | web-2 | web-3 | web-4", 0},
		"two fixed ports at once":  {fixed, []batuta.ShipName{"ship-a", "ship-b", "ship-c", "ship-d"}, deployer.Update{AtOnce: deployer.Amount{N: 2}}, "web-1 web-2 | web-3 web-4", 0},
		"never two on one ship":    {strings.ReplaceAll(fourInstances, "ports", "stop_first: true, ports"), []batuta.ShipName{"ship-a", "ship-b"}, deployer.Update{AtOnce: deployer.Amount{N: 4}}, "web-1 web-2 | web-3 web-4", 0},
		"as the policy says first": {fourInstances, []batuta.ShipName{"ship-a"}, deployer.Update{StopFirst: true}, "web-1 | web-2 | web-3 | web-4", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour(c.ships...)
				h.live(t, h.policy(t, c.text, image(1), c.u))
				starts := h.order("Start")
				began := time.Now()
				h.live(t, h.policy(t, c.text, image(2), c.u))
				if got := starts(); got != c.want {
					t.Errorf("started %s, want %s", got, c.want)
				}
				if took := time.Since(began); took < c.least {
					t.Errorf("took %s, want at least %s", took, c.least)
				}
			})
		})
	}
}

func TestACanaryThatFallsOverKeepsTheOthersFromBeginning(t *testing.T) {
	t.Run("strict", func(t *testing.T) { canaryFallsOver(t, deployer.Amount{}) })
	t.Run("of a service that tolerates failures", func(t *testing.T) { canaryFallsOver(t, deployer.Amount{Percent: 100}) })
}

func canaryFallsOver(t *testing.T, tolerate deployer.Amount) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		u := deployer.Update{Canary: deployer.Amount{N: 1}, Tolerate: tolerate}
		h.live(t, h.policy(t, fourInstances, image(1), u))
		h.behave(behaves(image(2), shiptest.Behaviour{Exits: true, ExitAfter: 5 * time.Second, ExitCode: 9}))
		starts := h.order("Create")
		outcome, err := h.apply(t.Context(), h.policy(t, fourInstances, image(2), u))
		if outcome.Status != batuta.RolledBack || err == nil || !strings.Contains(err.Error(), "replace web-1 on ship-a: exited 9, after it was ready") {
			t.Errorf("apply = %v, %v", outcome, err)
		}
		if got := starts(); got != "web-1" {
			t.Errorf("created %s, want web-1 alone", got)
		}
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running", "web-3 on ship-a: 1111 running", "web-4 on ship-b: 1111 running")
	})
}

func TestAToleratedFailureIsPutBackAndNamed(t *testing.T) {
	bad := shiptest.Behaviour{Exits: true, ExitCode: 3, NeverReady: true, ExitAfter: time.Second}
	for name, before := range map[string]string{
		"back to its old container": fourInstances,
		"removed, as it is new":     strings.ReplaceAll(oneService, "count: 2", "count: 1"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour("ship-a", "ship-b")
				u := deployer.Update{Tolerate: deployer.Amount{Percent: 25}, AtOnce: deployer.Amount{N: 2}}
				h.live(t, h.policy(t, before, image(1), u))
				h.behave(oneBehaves(image(2), "web-2", bad))
				outcome, err := h.apply(t.Context(), h.policy(t, fourInstances, image(2), u))
				if err != nil || outcome.Status != batuta.Live || len(outcome.Failed) != 1 || !strings.Contains(outcome.Failed[0], "web-2 on ship-b: exited 3") {
					t.Fatalf("apply = %+v, %v", outcome, err)
				}
				want := []string{"web-1 on ship-a: 2222 running", "web-2 on ship-b: 1111 running", "web-3 on ship-a: 2222 running", "web-4 on ship-b: 2222 running"}
				if before != fourInstances {
					want = slices.Delete(want, 1, 2)
				}
				h.wantRuns(t, want...)
			})
		})
	}
}

func TestMoreFailuresThanToleratedRollBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		u := deployer.Update{Tolerate: deployer.Amount{N: 1}}
		h.live(t, h.policy(t, oneService, image(1), u))
		h.behave(behaves(image(2), shiptest.Behaviour{Exits: true, ExitCode: 1}))
		outcome, err := h.apply(t.Context(), h.policy(t, oneService, image(2), u))
		if outcome.Status != batuta.RolledBack || outcome.Undone != nil || err == nil {
			t.Errorf("apply = %+v, %v", outcome, err)
		}
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
	})
}

func TestAReleaseThatFallsOverWhileItIsWatchedIsRolledBackEverywhere(t *testing.T) {
	for name, c := range map[string]struct {
		how  func(*harbour)
		want string
	}{
		"it crashes": {func(h *harbour) {
			h.behave(oneBehaves(image(2), "web-3", shiptest.Behaviour{Exits: true, ExitAfter: 20 * time.Second, ExitCode: 7}))
		}, "replace web-3 on ship-c: exited 7, after it was ready"},
		"its checks stop passing": {func(h *harbour) {
			ready := time.Now().Add(20 * time.Second)
			h.ships["ship-b"].Before = func(c shiptest.Call) error {
				if c.Method == "Probe" && time.Now().After(ready) && time.Now().Before(ready.Add(10*time.Second)) {
					return errors.New("503 Service Unavailable")
				}
				return nil
			}
		}, "503 Service Unavailable, 3 times in a row after it was ready"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour("ship-a", "ship-b", "ship-c")
				text := strings.ReplaceAll(oneService, "count: 2", "count: 3")
				u := deployer.Update{Watch: time.Minute}
				h.live(t, h.policy(t, text, image(1), u))
				before := h.ids()
				c.how(h)
				outcome, err := h.apply(t.Context(), h.policy(t, text, image(2), u))
				if outcome.Status != batuta.RolledBack || outcome.Undone != nil || err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("apply = %+v, %v; want %s", outcome, err, c.want)
				}
				if after := h.ids(); !slices.Equal(before, after) {
					t.Errorf("on the ships: %v, want the containers of before: %v", after, before)
				}
			})
		})
	}
}

// ids are the containers on all ships.
func (h *harbour) ids() []string {
	var out []string
	for _, s := range h.ships {
		for _, c := range s.All() {
			out = append(out, c.ID+" "+c.State)
		}
	}
	slices.Sort(out)
	return out
}

func TestAPausedDeploymentIsLeftForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		u := deployer.Update{Pause: true, AtOnce: deployer.Amount{N: 1}}
		h.live(t, h.policy(t, oneService, image(1), u))
		h.behave(oneBehaves(image(2), "web-2", shiptest.Behaviour{NeverReady: true}))
		outcome, err := h.apply(t.Context(), h.policy(t, oneService, image(2), u))
		if outcome.Status != batuta.Failed || len(outcome.Left) != 2 || err == nil || !strings.Contains(err.Error(), "its policy is to pause; left as it is:\n  web-1 on ship-a: the new container is ready") {
			t.Errorf("apply = %+v, %v", outcome, err)
		}
		h.wantRuns(t, "web-1 on ship-a: 1111 exited", "web-1 on ship-a: 2222 running", "web-2 on ship-b: 1111 running", "web-2 on ship-b: 2222 running")
		h.live(t, h.policy(t, oneService, image(1), u))
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
	})
}

func TestCancellingBetweenBatchesPutsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		u := deployer.Update{AtOnce: deployer.Amount{N: 1}, Wait: time.Hour}
		h.live(t, h.policy(t, oneService, image(1), deployer.Update{}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		outcome, err := h.apply(ctx, h.policy(t, oneService, image(2), u))
		if outcome.Status != batuta.Cancelled || outcome.Undone != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("apply = %+v, %v", outcome, err)
		}
		h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
	})
}
