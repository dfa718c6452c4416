package deployer_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// beside is a service that fails when it is changed, beside one that is not.
const beside = `
services:
  web: {build: web, instances: {web-1: {ship: ship-a}}, lifecycle: {running: [{type: tcp, port: 80}]}}
  job: {image: "registry.test/job@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", instances: {job-1: {ship: ship-b}}, env: {GENERATION: GEN}}
`

// crashing makes the containers of another generation of job crash.
func crashing(i deployer.Instance) (b shiptest.Behaviour) {
	for _, v := range i.Env {
		b.Exits = b.Exits || v.Name == "GENERATION" && v.Value != "GEN"
	}
	return b
}

// fails applies a release in which job crashes, and wants it rolled back.
func (h *harbour) fails(t *testing.T, web batuta.Image, generation string) {
	t.Helper()
	h.behave(crashing)
	outcome, err := h.apply(t.Context(), h.spec(t, strings.ReplaceAll(beside, "GEN}", generation+"}"), web))
	if err == nil || outcome.Status == batuta.Live || outcome.Undone != nil {
		t.Fatalf("apply = %+v, %v; want it to fail, and everything back", outcome, err)
	}
}

func TestWhatALiveDeploymentCouldNotRemoveIsNeverRevived(t *testing.T) {
	t.Parallel()
	for name, interlude := range map[string]func(*testing.T, *harbour){
		"the next release fails":  func(t *testing.T, h *harbour) { h.fails(t, image(2), "next") },
		"two releases fail":       func(t *testing.T, h *harbour) { h.fails(t, image(2), "next"); h.fails(t, image(2), "other") },
		"killed, and then failed": func(t *testing.T, h *harbour) { h.killedOnce(t); h.fails(t, image(2), "next") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour("ship-a", "ship-b")
				h.live(t, h.spec(t, beside, image(1)))
				stuck := func(c shiptest.Call) error {
					if c.Method == "Remove" && c.Instance == "web-1" {
						return errors.New("device or resource busy")
					}
					return nil
				}
				h.ships["ship-a"].Before = stuck
				h.live(t, h.spec(t, beside, image(2)))
				h.wantRuns(t, "job-1 on ship-b: dddd running", "web-1 on ship-a: 1111 exited", "web-1 on ship-a: 2222 running")
				interlude(t, h)
				h.wantRuns(t, "job-1 on ship-b: dddd running", "web-1 on ship-a: 1111 exited", "web-1 on ship-a: 2222 running")
				h.ships["ship-a"].Before = nil
				h.live(t, h.spec(t, beside, image(2)))
				h.wantRuns(t, "job-1 on ship-b: dddd running", "web-1 on ship-a: 2222 running")
			})
		})
	}
}

// killedOnce kills a deployment of job before it has made anything.
func (h *harbour) killedOnce(t *testing.T) {
	t.Helper()
	var killed atomic.Bool
	busy := h.ships["ship-a"].Before
	for _, s := range h.ships {
		s.Before = func(c shiptest.Call) error {
			if c.Method == "Create" {
				killed.Store(true)
			}
			if killed.Load() {
				return errKilled
			}
			return busy(c)
		}
	}
	_, err := h.apply(t.Context(), h.spec(t, strings.ReplaceAll(beside, "GEN}", "next}"), image(2)))
	if !errors.Is(err, errKilled) {
		t.Fatalf("it was not killed: %v", err)
	}
	h.ships["ship-a"].Before, h.ships["ship-b"].Before = busy, nil
}

func TestWhatAKilledDeploymentStoppedIsRevived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		h.live(t, h.spec(t, beside, image(1)))
		h.behave(func(i deployer.Instance) shiptest.Behaviour {
			b := crashing(i)
			b.ExitAfter = 10 * time.Second
			return b
		})
		want := h.policy(t, strings.ReplaceAll(beside, "GEN}", "next}"), image(2), deployer.Update{Watch: time.Minute})
		want.Services["job"] = want.Services["web"]
		k := &killer{at: 1 << 30}
		k.aim(h)
		time.AfterFunc(5*time.Second, func() { k.calls.Store(k.at) }) // while it is watched
		_, _ = h.apply(t.Context(), want)
		k.stop(h)
		h.wantRuns(t, "job-1 on ship-b: dddd exited", "job-1 on ship-b: dddd running", "web-1 on ship-a: 1111 exited", "web-1 on ship-a: 2222 running")
		outcome, err := h.apply(t.Context(), want)
		if err == nil || outcome.Status != batuta.RolledBack {
			t.Errorf("apply = %+v, %v", outcome, err)
		}
		h.wantRuns(t, "job-1 on ship-b: dddd running", "web-1 on ship-a: 1111 running")
	})
}
