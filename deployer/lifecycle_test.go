package deployer_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
)

// The states around a start and a stop count in a deployment, too.
func TestLifecycleOfADeployment(t *testing.T) {
	const document = `
services:
  web:
    build: web
    instances: {web-1: {ship: ship-a}}
    lifecycle: {pre-start: [{type: sleep, wait: 20s}], pre-stop: [{type: sleep, wait: 7s}]}
`
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		began := time.Now()
		h.live(t, h.spec(t, document, image(1)))
		if took := time.Since(began); took < 20*time.Second {
			t.Errorf("it started after %s, before its pre-start had passed", took)
		}
		began = time.Now()
		h.live(t, h.spec(t, document, image(2)))
		if took := time.Since(began); took < 27*time.Second {
			t.Errorf("it was replaced after %s, without its pre-stop", took)
		}
		h.wantRuns(t, "web-1 on ship-a: 2222 running")
	})
}

// What does not pass before a start lets nothing be made, and the old serves
// on.
func TestAPreStartThatFails(t *testing.T) {
	t.Parallel()
	const document = `batuta: 1
services:
  web:
    build: web
    instances: {web-1: {ship: ship-a}}
    lifecycle: {pre-start: [{type: local, command: "false", max_wait: 50ms}]}
`
	h := newHarbour("ship-a")
	h.live(t, h.spec(t, `
services: {web: {build: web, instances: {web-1: {ship: ship-a}}}}
`, image(1)))
	doc, err := deployer.Parse("environments/qa.yml", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	in := h.input(t, image(2))
	in.Allow = deployer.Everything()
	want, err := doc.Resolve(in)
	if err != nil {
		t.Fatal(err)
	}
	before := len(h.ships["ship-a"].Calls())
	outcome, err := h.apply(t.Context(), want)
	if outcome.Status == batuta.Live || err == nil || !strings.Contains(err.Error(), "before it starts: ") {
		t.Errorf("apply = %+v, %v", outcome, err)
	}
	h.wantRuns(t, "web-1 on ship-a: 1111 running")
	for _, c := range h.ships["ship-a"].Calls()[before:] {
		if c.Method == "Create" {
			t.Error("a container was made")
		}
	}
}
