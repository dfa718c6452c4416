package maestro_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/maestro"
)

// The defects of MaestroNG that belong to reading a document, by their numbers
// among those that were observed. The others belong to what the verbs do.

// TestDefect01NamesAreKnown: a filter compares names, so a document in which
// two things have one name would let it widen.
func TestDefect01NamesAreKnown(t *testing.T) {
	t.Parallel()
	_, err := read(t, `
name: n
ships: {s: {ip: 10.0.0.1}}
services:
  a: {image: app, instances: {same: {ship: s}}}
  b: {image: app, instances: {same: {ship: s}}}
`)
	wantProblem(t, err, `n.yaml:6:31: services.b.instances.same: service "a" has an instance "same" too`)
}

// TestDefect02ChecksAreMadeAtTheContainer: not through docker-proxy, which
// takes connections for applications that do not listen.
func TestDefect02ChecksAreMadeAtTheContainer(t *testing.T) {
	t.Parallel()
	spec := resolve(t, `
name: n
ships: {s: {ip: 10.0.0.1}}
services:
  a:
    image: app
    instances:
      a-1: {ship: s, ports: {http: "80:8080"}, lifecycle: {running: [{type: tcp, port: http}, {type: http, port: 8080}]}}
`)
	for _, c := range spec.Instances[0].Checks {
		if c.Port != 80 || c.Outside != "" {
			t.Errorf("%s is made at %d of %q, want the container's own 80", c, c.Port, c.Outside)
		}
	}
}

// TestDefect06ChecksDoNotLeak: an instance's checks are its own.
func TestDefect06ChecksDoNotLeak(t *testing.T) {
	t.Parallel()
	spec := resolve(t, `
name: n
ships: {s: {ip: 10.0.0.1}}
services:
  a:
    image: app
    lifecycle: {running: [{type: sleep, wait: 1}]}
    instances:
      a-1: {ship: s, lifecycle: {running: [{type: sleep, wait: 2}]}}
      a-2: {ship: s}
      a-3: {ship: s, lifecycle: {running: [{type: sleep, wait: 3}]}}
`)
	got := map[batuta.InstanceName]string{}
	for _, i := range spec.Instances {
		for _, c := range i.Checks {
			got[i.Name] += c.Wait.String() + " "
		}
	}
	want := map[batuta.InstanceName]string{"a-1": "1s 2s ", "a-2": "1s ", "a-3": "1s 3s "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestDefect07VolumesFromOneselfAndOthers: within one service there is no
// cycle, and across services the requirement is one like any other, for the
// start and for the stop.
func TestDefect07VolumesFromOneselfAndOthers(t *testing.T) {
	t.Parallel()
	spec := resolve(t, `
name: n
ships: {s: {ip: 10.0.0.1}}
services:
  app:
    image: app
    instances:
      app-1: {ship: s, container_volumes: /data}
      app-2: {ship: s, volumes_from: app-1}
  user:
    image: user
    instances: {user-1: {ship: s, volumes_from: [app-1]}}
  a-last: {image: last, requires: [user], instances: {last-1: {ship: s}}}
`)
	want := [][]batuta.ServiceName{{"app"}, {"user"}, {"a-last"}}
	if diff := cmp.Diff(want, spec.Waves); diff != "" {
		t.Error(diff)
	}
	if got := spec.Services["user"].Requires; !slices.Equal(got, []batuta.ServiceName{"app"}) {
		t.Errorf("user requires %v", got)
	}
	if got := spec.Services["app"].Requires; got != nil {
		t.Errorf("app requires %v", got)
	}
	for _, v := range spec.Instances[2].Env {
		if strings.HasPrefix(v.Name, "APP_") {
			t.Errorf("%s is told for its volumes alone", v.Name)
		}
	}
}

// TestDefect08MistakesAreTold: each with its place and the way out, together.
func TestDefect08MistakesAreTold(t *testing.T) {
	t.Parallel()
	_, err := read(t, `
name: n
ships: {node1: {ip: 10.0.0.1}}
services:
  a: {image: app, requires: [b], wants_info: [c], instances: {a-1: {ship: node1}}}
  b: {requires: [a], instances: {b-1: {ship: node1}}}
  d: {image: app}
`)
	for _, want := range []string{
		`n.yaml:5:29: services.a.requires: the services require each other: a → b → a (remove one of these requirements)`,
		`n.yaml:5:47: services.a.wants_info.0: no service "c" (known here: a, b, d)`,
		`n.yaml:6:6: services.b: image is missing (MaestroNG wants one even if every instance has its own)`,
		`n.yaml:7:6: services.d: the service has no instances (write instances: {d-1: {ship: NAME}}, or instances: {})`,
	} {
		wantProblem(t, err, want)
	}
	d, err := read(t, `
name: n
ships: {node1: {ip: 10.0.0.1}}
services: {a: {image: app, instances: {a-1: {ship: nod1}}}}
`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Resolve(deployer.Input{OwnShips: true, Unpinned: true})
	wantProblem(t, err, `n.yaml:4:52: services.a.instances.a-1.ship: no ship "nod1" (did you mean "node1"?)`)
}

// TestDefect09EnvironmentsHaveTheirOwnScope: two documents never own each
// other's containers, however alike their names.
func TestDefect09EnvironmentsHaveTheirOwnScope(t *testing.T) {
	t.Parallel()
	seen := map[deployer.Scope]string{}
	for _, name := range []string{"qa", "QA", "q-a", "q_a", "q a", "q.a", "ümlaut", "ämlaut", strings.Repeat("x", 40), strings.Repeat("x", 41), strings.Repeat("x", 42), "-", "?"} {
		d, err := read(t, "name: \""+name+"\"\n")
		if err != nil {
			t.Fatal(err)
		}
		s := d.Scope()
		if err := batuta.CheckLabel(string(s.Environment)); err != nil || s.App != "" {
			t.Errorf("%q: %+v, %v", name, s, err)
		}
		if other, taken := seen[s]; taken {
			t.Errorf("%q and %q are both %v", name, other, s)
		}
		seen[s] = name
	}
}

// TestDefect11NothingIsAskedWhileReading: an unreachable ship, api_version:
// auto and a tunnel are no matter until somebody needs the ship.
func TestDefect11NothingIsAskedWhileReading(t *testing.T) {
	t.Parallel()
	d, err := read(t, `
name: n
ship_defaults: {ssh_tunnel: {user: ops, key: /no/such/key}}
ships: {dead: {ip: 192.0.2.1, api_version: auto}, other: {ip: 192.0.2.2, tls: true, tls_cert: /no/such/file, tls_key: /no/such/file}}
services: {a: {image: app, instances: {a-1: {ship: other}}}}
`)
	if err != nil || len(d.Warnings()) > 0 || len(d.Ships()) != 2 {
		t.Errorf("%v, warnings %v, ships %v", err, d.Warnings(), d.Ships())
	}
}

func read(t *testing.T, text string) (*maestro.Document, error) {
	t.Helper()
	return maestro.Read("n.yaml", []byte(text), maestro.Options{})
}

func resolve(t *testing.T, text string) deployer.Spec {
	t.Helper()
	d, err := read(t, text)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := d.Resolve(deployer.Input{Scope: d.Scope(), OwnShips: true, Unpinned: true})
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func wantProblem(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("no problem\n  %s\nin\n%v", want, err)
	}
}
