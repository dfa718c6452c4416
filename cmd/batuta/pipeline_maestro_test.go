package main

import (
	"slices"
	"strings"
	"testing"

	"batuta"
	"batuta/deployer"
	"batuta/pipeline"
)

// A MaestroNG file that names ships of the server, and one that asks for more
// of them than containers.
const (
	maestroQA = `name: shop-qa
ships:
  a: {ip: a.example.edu}
services:
  web:
    image: hub.example.edu/team/web:1.4
    env: {MODE: qa}
    instances:
      web-1: {ship: a, ports: {http: 8080}}
`
	maestroGreedy = `name: shop-qa
ships:
  a: {ip: a.example.edu}
services:
  web:
    image: hub.example.edu/team/web:1.4
    instances:
      web-1:
        ship: a
        privileged: true
        volumes: {/data: /srv/shop}
`
)

// TestAMaestroFileIsDeployedByAPush has a repository whose environment is a
// MaestroNG file as it stands.
func TestAMaestroFileIsDeployedByAPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files["environments/qa.yml"] = maestroQA
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	web := w.instance(t, "a", "web-1")
	if web.State != "running" || web.Scope != (deployer.Scope{App: testApp, Environment: "qa"}) || web.Image.Digest != pinned("hub.example.edu/team/web:1.4").Digest {
		t.Errorf("a runs %+v", web)
	}
	for _, line := range []string{"MODE", "MAESTRO_ENVIRONMENT_NAME"} {
		if !strings.Contains(web.Spec, line) {
			t.Errorf("the container lacks %s: %s", line, web.Spec)
		}
	}
	if d := s.looks(t, "qa"); len(d.Drift)+len(d.Moves) > 0 {
		t.Errorf("after the deployment there is %+v", d)
	}
	plan, err := s.Propose(t.Context(), pipeline.Order{App: testApp, Kind: batuta.RunDeploy, Environment: "qa"})
	if err != nil || !plan.Plan.Empty() {
		t.Errorf("it would be changed again (%v):\n%s", err, plan.Text)
	}
}

// TestAMaestroFileGetsOnlyWhatIsGranted refuses what server.yml does not grant
// before anything is built, and places it in the file.
func TestAMaestroFileGetsOnlyWhatIsGranted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files["environments/qa.yml"] = maestroGreedy
	s := w.start(t)
	run := s.fails(t, s.push(t, "one"), "privileged")
	for _, place := range []string{"environments/qa.yml:10:21: services.web.instances.web-1.privileged: ", "environments/qa.yml:11:19: services.web.instances.web-1.volumes"} {
		if !strings.Contains(run.Error, place) {
			t.Errorf("the error lacks %q:\n%s", place, run.Error)
		}
	}
	if last := run.Steps[len(run.Steps)-1]; last.Name != "read" || w.built() != 0 || len(w.ships["a"].All()) != 0 {
		t.Errorf("it came to step %s, with %d builds and %v", last.Name, w.built(), w.ships["a"].All())
	}
	w.edit("environments/qa.yml", "{ip: a.example.edu}", "{ip: a.example.edu}\n  z: {ip: z.example.edu}")
	w.edit("environments/qa.yml", "ship: a", "ship: z")
	s.fails(t, s.push(t, "two"), `environments/qa.yml:10:15: services.web.instances.web-1.ship: `)
	steps := slices.IndexFunc(run.Steps, func(step batuta.Step) bool { return strings.HasPrefix(step.Name, "deploy") })
	if steps >= 0 {
		t.Error("it was deployed all the same")
	}
}
