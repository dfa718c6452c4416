package deployer_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// container is an instance's container in a state, its age in its id.
func container(i deployer.Instance, age int, state string, code int) deployer.Container {
	ports := slices.Clone(i.Ports)
	if state != "running" {
		ports = nil
	}
	return deployer.Container{
		ID: fmt.Sprintf("%s@%s-%d", i.Name, i.Ship, age), Name: "portal_qa_" + string(i.Name), Scope: qa,
		Service: i.Service, Instance: i.Name, Ship: i.Ship, Release: 6, Config: i.Config, Spec: i.Spec, Image: i.Image,
		State: state, ExitCode: code, Created: epoch.Add(time.Duration(age) * time.Hour), Ports: ports,
	}
}

// all gives each instance of the specification a running container.
func all(s deployer.Spec) []deployer.Container {
	var out []deployer.Container
	for _, i := range s.Instances {
		out = append(out, container(i, 1, "running", 0))
	}
	return out
}

const portal = `
services:
  db:
    image: registry.test/db@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
    instances: {db-1: {ship: ship-b}}
    env: {PASSWORD: "${secret:db}"}
  web:
    build: web
    count: 2
    requires: [db]
    env: {DB_HOST: db.internal, DB_PASSWORD: "${secret:db}"}
    ports: {http: 8080}
`

func TestDiff(t *testing.T) {
	h := newHarbour("ship-a", "ship-b")
	spec := func(edits ...string) deployer.Spec {
		return h.spec(t, strings.NewReplacer(edits...).Replace(portal), image(1))
	}
	base, next := spec(), h.spec(t, portal, image(2))
	fixed := spec("http: 8080", `http: "8080:80"`)
	nextFixed := h.spec(t, strings.ReplaceAll(portal, "http: 8080", `http: "8080:80"`), image(2))
	unlabelled := container(base.Instances[1], 1, "running", 0)
	unlabelled.Config, unlabelled.Spec = "of another age", ""
	var text strings.Builder
	for _, c := range []struct {
		name string
		want deployer.Spec
		have deployer.State
	}{
		{"nothing runs", base, deployer.State{}},
		{"all is as declared", base, deployer.State{Containers: all(base)}},
		{"nothing is declared, nothing runs", deployer.Spec{Scope: qa}, deployer.State{}},
		{"another image", next, deployer.State{Containers: all(base)}},
		{"another image, with a fixed host port", nextFixed, deployer.State{Containers: all(fixed)}},
		{"stop_first", spec("requires: [db]", "requires: [db]\n    stop_first: true", "db.internal", "db2"), deployer.State{Containers: all(base)}},
		{"a secret and a variable", spec("secret:db}\"}\n  web", "secret:other}\"}\n  web", "DB_HOST: db.internal", "DB_NAME: portal"), deployer.State{Containers: all(base)}},
		{"everything else", spec("count: 2", `instances: {web-1: {ship: ship-b, command: run it, volumes: {data: /data}, ports: {admin: 9000}, lifecycle: {running: [{type: tcp, port: http}]}}}
    restart: "no"
    stop_timeout: 1m`), deployer.State{Containers: all(base)}},
		{"an orphan", spec("count: 2", "count: 1"), deployer.State{Containers: all(base)}},
		{"an orphan holds a fixed host port", spec("http: 8080", `http: "8080:80"`, "count: 2", "instances: {front: {ship: ship-a}}"), deployer.State{Containers: all(fixed)}},
		{"a crash and a stop by hand", base, deployer.State{Containers: []deployer.Container{
			container(base.Instances[0], 1, "running", 0), container(base.Instances[1], 1, "restarting", 1), container(base.Instances[2], 1, "exited", 137),
		}}},
		{"a crash, and another image", next, deployer.State{Containers: []deployer.Container{
			container(base.Instances[0], 1, "running", 0), container(base.Instances[1], 1, "exited", 3), container(base.Instances[2], 1, "running", 0),
		}}},
		{"killed after the new one started", next, deployer.State{Containers: append(all(base), container(next.Instances[1], 2, "running", 0))}},
		{"killed before the old ones were removed", next, deployer.State{Containers: append(all(next),
			container(base.Instances[1], 0, "exited", 0), container(base.Instances[2], 0, "exited", 0))}},
		{"killed before the new one started", next, deployer.State{Containers: append(all(base), container(next.Instances[1], 2, "created", 0))}},
		{"killed between stop and start", nextFixed, deployer.State{Containers: []deployer.Container{
			container(fixed.Instances[0], 1, "running", 0), container(fixed.Instances[1], 1, "exited", 143), container(fixed.Instances[2], 1, "running", 0),
		}}},
		{"back to a container that was kept", base, deployer.State{Containers: append(all(next),
			container(base.Instances[1], 0, "exited", 0))}},
		{"a container without a specification", base, deployer.State{Containers: []deployer.Container{unlabelled}}},
		{"a ship that is needed does not answer", base, deployer.State{Containers: all(base)[:2], Unreachable: map[batuta.ShipName]string{"ship-b": "no answer for 5s"}}},
		{"a ship that is not needed does not answer", base, deployer.State{Containers: all(base), Unreachable: map[batuta.ShipName]string{"ship-c": "no answer for 5s"}}},
	} {
		plan := deployer.Diff(c.want, c.have)
		fmt.Fprintf(&text, "--- %s\n%s\n", c.name, plan)
		checkPlan(t, c.name, plan, c.want, c.have)
	}
	golden(t, "plans.txt", text.String())
}

// checkPlan checks what holds for every plan.
func checkPlan(t *testing.T, name string, plan deployer.Plan, want deployer.Spec, have deployer.State) {
	t.Helper()
	shuffled := have
	shuffled.Containers = slices.Clone(have.Containers)
	for range 5 {
		rand.Shuffle(len(shuffled.Containers), func(a, b int) {
			shuffled.Containers[a], shuffled.Containers[b] = shuffled.Containers[b], shuffled.Containers[a]
		})
		if again := deployer.Diff(want, shuffled); again.Hash() != plan.Hash() || again.String() != plan.String() {
			t.Errorf("%s: the same in another order gives another plan:\n%s", name, again)
		}
	}
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "hush") {
		t.Errorf("%s: the plan shows a secret: %s", name, data)
	}
	var read deployer.Plan
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	if read.Hash() != plan.Hash() || read.String() != plan.String() || read.Empty() != plan.Empty() {
		t.Errorf("%s: the plan read from JSON is another:\n%s", name, read)
	}
}

func TestPlanHashFollowsWhatIsDone(t *testing.T) {
	h := newHarbour("ship-a", "ship-b")
	base, next := h.spec(t, portal, image(1)), h.spec(t, portal, image(2))
	plan := deployer.Diff(next, deployer.State{Containers: all(base)})
	crashing := all(base)
	crashing[1].State = "restarting"
	if deployer.Diff(next, deployer.State{Containers: crashing}).Hash() != plan.Hash() {
		t.Error("a container that flickers makes another plan")
	}
	another := all(base)
	another[1].ID = "another"
	for what, other := range map[string]deployer.Plan{
		"image":     deployer.Diff(h.spec(t, portal, image(3)), deployer.State{Containers: all(base)}),
		"container": deployer.Diff(next, deployer.State{Containers: another}),
		"orphan":    deployer.Diff(next, deployer.State{Containers: append(all(base), container(deployer.Instance{Name: "x", Ship: "ship-a"}, 1, "running", 0))}),
	} {
		if other.Hash() == plan.Hash() {
			t.Errorf("the hash is blind to the %s", what)
		}
	}
}

func TestDiffOfManyInstances(t *testing.T) {
	want := deployer.Spec{Scope: qa}
	var have deployer.State
	for n := range 100 {
		service := batuta.ServiceName(fmt.Sprintf("service-%d", n))
		want.Waves = append(want.Waves, []batuta.ServiceName{service})
		for k := range 50 {
			i := deployer.Instance{
				Name: batuta.InstanceName(fmt.Sprintf("%s-%d", service, k)), Service: service, Config: "new",
				Ship: batuta.ShipName(fmt.Sprintf("ship-%d", k)), Ports: []deployer.Port{{Name: "http", Container: 80, Host: 1000 + n, Protocol: "tcp"}},
			}
			want.Instances = append(want.Instances, i)
			i.Config = "old"
			have.Containers = append(have.Containers, container(i, 1, "running", 0))
		}
	}
	plan := deployer.Diff(want, have)
	if len(plan.Changes) != 5000 || plan.Changes[0].StopFirst != "fixed host port 1000" {
		t.Errorf("%d changes, first %s", len(plan.Changes), plan.Changes[0])
	}
}
