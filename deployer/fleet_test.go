package deployer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

var qa = deployer.Scope{App: "portal", Environment: "qa"}

// image is the nth image that the tests build.
func image(n int) batuta.Image {
	return batuta.Image{Repository: "registry.test/portal/web", Digest: batuta.Digest("sha256:" + strings.Repeat(fmt.Sprintf("%x", n), 64)[:64])}
}

// harbour is a fleet of fakes.
type harbour struct {
	*deployer.Fleet
	ships  map[batuta.ShipName]*shiptest.Fake
	infos  []deployer.ShipInfo
	events []string
}

func newHarbour(names ...batuta.ShipName) *harbour {
	h := &harbour{ships: map[batuta.ShipName]*shiptest.Fake{}}
	ships := map[batuta.ShipName]deployer.Ship{}
	addresses := map[batuta.ShipName]string{}
	for n, name := range names {
		h.ships[name] = shiptest.New(name)
		ships[name] = h.ships[name]
		addresses[name] = fmt.Sprintf("10.0.0.%d", n+1)
		h.infos = append(h.infos, deployer.ShipInfo{Name: name, Address: addresses[name], Labels: map[string]string{"role": "web"}})
	}
	h.Fleet = deployer.New(ships, deployer.Options{Addresses: addresses})
	return h
}

// behave sets how all containers behave that are made from now on.
func (h *harbour) behave(how func(deployer.Instance) shiptest.Behaviour) {
	for _, s := range h.ships {
		s.Behave = how
	}
}

// spec resolves a document in which build: web is the given image.
func (h *harbour) spec(t *testing.T, text string, web batuta.Image) deployer.Spec {
	t.Helper()
	doc, err := deployer.Parse("environments/qa.yml", []byte("batuta: 1\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := doc.Resolve(h.input(t, web))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func (h *harbour) input(t *testing.T, web batuta.Image) deployer.Input {
	return deployer.Input{
		Scope: qa, Release: 7, Ships: h.infos, Key: []byte("key"),
		Images:  map[batuta.ImageName]batuta.Image{"web": web},
		Allow:   deployer.Policy{Paths: []string{"/storage/"}, Privileges: []batuta.Privilege{batuta.HostNetwork}},
		Secret:  func(name string) (string, bool) { return "hush-" + name, name != "unknown" },
		Current: h.Observe(context.WithoutCancel(t.Context()), qa).Containers,
	}
}

// apply plans and applies.
func (h *harbour) apply(ctx context.Context, want deployer.Spec) (deployer.Outcome, error) {
	plan, err := h.Plan(ctx, want)
	if err != nil {
		return deployer.Outcome{}, err
	}
	return h.Apply(ctx, plan, func(e deployer.Event) { h.events = append(h.events, e.String()) })
}

// live applies and wants it to succeed.
func (h *harbour) live(t *testing.T, want deployer.Spec) {
	t.Helper()
	outcome, err := h.apply(t.Context(), want)
	if err != nil || outcome.Status != batuta.Live {
		t.Fatalf("apply = %v, %v; want live", outcome, err)
	}
}

// runs lists what is on the ships: web-1 on ship-a: 111111111111 running.
func (h *harbour) runs() []string {
	var out []string
	for name, s := range h.ships {
		for _, c := range s.All() {
			out = append(out, fmt.Sprintf("%s on %s: %s %s", c.Instance, name, c.Image.Digest.Short()[:4], c.State))
		}
	}
	slices.Sort(out)
	return out
}

func (h *harbour) wantRuns(t *testing.T, want ...string) {
	t.Helper()
	if got := h.runs(); !slices.Equal(got, want) {
		t.Errorf("on the ships:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// behaves makes containers of one image behave so, and all others well.
func behaves(of batuta.Image, how shiptest.Behaviour) func(deployer.Instance) shiptest.Behaviour {
	return func(i deployer.Instance) shiptest.Behaviour {
		if i.Image == of {
			return how
		}
		return shiptest.Behaviour{}
	}
}

const oneService = `
services:
  web: {build: web, count: 2, on: {role: web}, ports: {http: 8080}, lifecycle: {running: [{type: http, path: /up, max_wait: 30s}]}}
`

const twoWaves = `
services:
  db:
    image: registry.test/db@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
    instances: {db-1: {ship: ship-a}}
    env: {GENERATION: GEN}
  web: {build: web, count: 2, requires: [db], ports: {http: 8080}, lifecycle: {running: [{type: http, path: /up, max_wait: 30s}]}}
`

func within(t *testing.T, limit time.Duration, started time.Time) {
	t.Helper()
	if took := time.Since(started); took > limit {
		t.Errorf("took %s, want at most %s", took, limit)
	}
}
