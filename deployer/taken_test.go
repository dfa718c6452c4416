package deployer_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

var fixedPort = strings.ReplaceAll(oneService, "http: 8080", `http: "8080:9300"`)

// squat has a container of another scope hold host port 9300 of a ship.
func (h *harbour) squat(t *testing.T, ship batuta.ShipName) {
	t.Helper()
	i := deployer.Instance{
		Name: "w-1", Service: "w", Ship: ship, Image: image(9), Config: "squatter",
		Ports: []deployer.Port{{Name: "http", Container: 80, Host: 9300, Protocol: "tcp"}},
	}
	s := h.ships[ship]
	if err := s.Pull(t.Context(), i.Image); err != nil {
		t.Fatal(err)
	}
	id, err := s.Create(t.Context(), deployer.Scope{App: "x2", Environment: "qa"}, 1, i)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

func TestAHostPortOfAnotherScopeIsFoundBeforeAnythingIsTouched(t *testing.T) {
	const why = "host port 9300 of ship-b, which web-2 needs, is held by x2_qa_w-1_squatter"
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		h.squat(t, "ship-b")
		plan, err := h.Plan(t.Context(), h.spec(t, fixedPort, image(2)))
		if err != nil || !strings.Contains(plan.String(), "cannot be applied: "+why) {
			t.Errorf("plan = %v\n%s", err, plan)
		}
		h.wantUntouched(t, plan, why)

		have := h.Observe(t.Context(), qa)
		h.wantUntouched(t, deployer.Diff(h.spec(t, fixedPort, image(2)), have), why)
	})
}

func TestAHostPortOfAProcessIsFoundBeforeAnythingIsTouched(t *testing.T) {
	const why = "host port 9300 of ship-b, which web-2 needs, is held by a process there"
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		h.ships["ship-b"].Processes = []deployer.Port{{Host: 9300, Protocol: "udp"}, {Host: 9301, Protocol: "tcp"}}
		plan, err := h.Plan(t.Context(), h.spec(t, fixedPort, image(2)))
		if err != nil || strings.Contains(plan.String(), "cannot be applied") {
			t.Errorf("plan = %v\n%s", err, plan)
		}
		h.ships["ship-b"].Processes = []deployer.Port{{Host: 9300, Address: "10.0.0.1", Protocol: "tcp"}}
		h.wantUntouched(t, plan, why)
	})
}

// With the ship's network an instance holds its ports there, as if they were
// published.
func TestPortsOfTheShipsOwnNetworkAreFixed(t *testing.T) {
	hosted := strings.ReplaceAll(oneService, "ports:", "net: host, ports:")
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.behave(func(deployer.Instance) shiptest.Behaviour { return shiptest.Behaviour{Port: 8080} })
		h.live(t, h.spec(t, hosted, image(1)))
		plan, err := h.Plan(t.Context(), h.spec(t, hosted, image(2)))
		if err != nil || !strings.Contains(plan.String(), "web-1 on ship-a: stop, then start (fixed host port 8080)") {
			t.Errorf("plan = %v\n%s", err, plan)
		}
		h.live(t, h.spec(t, hosted, image(2)))
		published := strings.ReplaceAll(oneService, "http: 8080", `http: "8080:8080"`)
		h.live(t, h.spec(t, published, image(3)))
		h.live(t, h.spec(t, hosted, image(4)))
		other := h.spec(t, hosted, image(4))
		other.Scope.Environment = "production"
		plan, err = h.Plan(t.Context(), other)
		if err != nil {
			t.Fatal(err)
		}
		h.wantUntouched(t, plan, "host port 8080 of ship-a, which web-1 needs, is held by a process there")
	})
}

// wantUntouched applies a plan and wants it refused, with nothing changed.
func (h *harbour) wantUntouched(t *testing.T, plan deployer.Plan, why string) {
	t.Helper()
	for _, s := range h.ships {
		s.Before = func(c shiptest.Call) error {
			if c.Changes() {
				t.Errorf("%s of %s on %s", c.Method, c.Instance, c.Ship)
			}
			return nil
		}
	}
	if outcome, err := h.Apply(t.Context(), plan, nil); !errors.Is(err, batuta.Conflict) || !strings.Contains(err.Error(), why) {
		t.Errorf("apply = %v, %v; want %s", outcome, err, why)
	}
}

func TestHostPortsOfTheScopeItselfAreItsOwnMatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, fixedPort, image(1)))
		h.live(t, h.spec(t, fixedPort, image(2)))
		other := h.spec(t, strings.ReplaceAll(fixedPort, "9300", "9301"), image(2))
		other.Scope.Environment = "production"
		h.live(t, other)
	})
}

func TestShipsAreAskedForHostPortsOnlyIfOneIsClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		asked := 0
		for _, s := range h.ships {
			s.Before = func(c shiptest.Call) error {
				if c.Method == "Taken" {
					asked++
				}
				return nil
			}
		}
		h.live(t, h.spec(t, oneService, image(1)))
		if asked != 0 {
			t.Errorf("asked %d times without a fixed host port", asked)
		}
		want := h.spec(t, strings.ReplaceAll(fixedPort, "count: 2", "count: 1"), image(1))
		h.live(t, want)
		if asked != 2 {
			t.Errorf("asked %d times; want once for the plan, once before it is applied", asked)
		}
		h.live(t, want)
		if asked != 2 {
			t.Error("asked again for what runs as declared")
		}
	})
}

func TestAShipThatDoesNotTellItsHostPortsStopsThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, oneService, image(1)))
		h.ships["ship-b"].Before = func(c shiptest.Call) error {
			if c.Method == "Taken" {
				return shiptest.ErrHangs
			}
			return nil
		}
		plan, err := h.Plan(t.Context(), h.spec(t, fixedPort, image(2)))
		if err != nil || !strings.Contains(plan.String(), "cannot be applied: ship ship-b does not answer") {
			t.Errorf("plan = %v\n%s", err, plan)
		}
	})
}
