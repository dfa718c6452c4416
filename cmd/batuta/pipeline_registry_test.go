package main

import (
	"testing"

	"batuta"
)

// An image that was pushed elsewhere starts a run of the default branch if the
// app wants it, and never what the server pushed itself; the log says why not.
func TestAnImagePushedElsewhereStartsARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "on: {", `on: {registry: [node, "hub.example.edu/acme/*:v*", "!hub.example.edu/acme/*:*-rc*"], `)
	s := w.start(t)
	event := func(n, image string) batuta.RunID {
		r, err := s.Take(t.Context(), batuta.Delivery{App: testApp, Forge: "distribution", Delivery: n, Event: "push", Ref: image})
		if err != nil {
			t.Fatal(err)
		}
		return r.Run
	}
	event("e-0", "docker.io/library/node:22")
	s.succeeds(t, s.push(t, "one"))
	wanted := map[string]batuta.RunID{}
	for n, image := range map[string]string{"e-1": "docker.io/library/node:22@sha256:abc", "e-2": "hub.example.edu/acme/base:v2"} {
		wanted[n] = event(n, image)
		if run := s.succeeds(t, wanted[n]); run.Push.Forge != batuta.ByRegistry || run.Push.Ref != "" || run.Release == 0 {
			t.Errorf("%s started %+v", image, run)
		}
	}
	if again := event("e-1", "docker.io/library/node:22@sha256:abc"); again != wanted["e-1"] {
		t.Errorf("the same event again is run %d, want %d", again, wanted["e-1"])
	}
	for n, image := range map[string]string{
		"e-3": "docker.io/library/redis:7", "e-4": "hub.example.edu/acme/base:v2-rc1", "e-5": "hub.example.edu/acme/base:latest",
		"e-6": "hub.example.edu/acme/deep/base:v1", "e-7": "registry.example.edu/" + string(testApp) + "/web:v1",
	} {
		if run := event(n, image); run != 0 {
			t.Errorf("%s started run %d", image, run)
		}
	}
	got := map[string]string{}
	all, err := s.Deliveries(t.Context(), testApp, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		got[d.Delivery] = d.Decision
	}
	for n, want := range map[string]string{
		"e-0": "ignored: no run has read on.registry yet",
		"e-3": "ignored: docker.io/library/redis:7 not in on.registry",
		"e-4": "ignored: hub.example.edu/acme/base:v2-rc1 not in on.registry",
		"e-6": "ignored: hub.example.edu/acme/deep/base:v1 not in on.registry",
		"e-7": "ignored: a push by Batuta itself",
	} {
		if got[n] != want {
			t.Errorf("%s: %q, want %q", n, got[n], want)
		}
	}
	s.count(t, 3)
}
