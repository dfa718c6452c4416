package deployer_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/deployer"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestResolveReportsEverythingAtOnce(t *testing.T) {
	text, err := os.ReadFile("testdata/wrong.yml")
	if err != nil {
		t.Fatal(err)
	}
	doc, parseErr := deployer.Parse("qa.yml", text)
	if parseErr == nil {
		t.Error("Parse found nothing wrong")
	}
	h := newHarbour("ship-a", "ship-b")
	_, err = doc.Resolve(h.input(t, image(1)))
	golden(t, "wrong.txt", err.Error()+"\n")
	_, again := doc.Resolve(h.input(t, image(1)))
	if again.Error() != err.Error() {
		t.Error("a second Resolve reports something else")
	}
	resolved := strings.Split(err.Error(), "\n")
	for line := range strings.SplitSeq(parseErr.Error(), "\n") {
		if !slices.Contains(resolved, line) {
			t.Errorf("Resolve leaves out what Parse found: %s", line)
		}
	}
}

func TestResolveReportsWhatIsWrongWithAServiceOfNoInstances(t *testing.T) {
	const text = "{build: wep, %s, env: {A: '${secret:unknown}'}, volumes: {/etc: /etc}, ports: {a: 1, b: 2}, lifecycle: {running: [{type: tcp}]}}"
	for name, how := range map[string]string{"count": "count: 0", "instances": "instances: {}", "neither": "restart: always"} {
		t.Run(name, func(t *testing.T) {
			h := newHarbour("ship-a")
			doc, _ := deployer.Parse("qa.yml", fmt.Appendf(nil, "batuta: 1\nservices: {web: "+text+"}", how))
			_, err := doc.Resolve(h.input(t, image(1)))
			for _, want := range []string{`no image "wep" is built`, `no secret "unknown"`, "/etc may not be mounted", "does not say which port"} {
				if err == nil || strings.Count(err.Error(), want) != 1 {
					t.Errorf("want once: %s\nerror:\n%v", want, err)
				}
			}
		})
	}
}

func TestResolveOneProblem(t *testing.T) {
	for name, c := range oneProblem() {
		t.Run(name, func(t *testing.T) {
			h := newHarbour("ship-a", "ship-b")
			doc, _ := deployer.Parse("qa.yml", []byte("batuta: 1\n"+c.text))
			_, err := doc.Resolve(h.input(t, image(1)))
			if err == nil || err.Error() != c.want {
				t.Errorf("error:\n%v\nwant:\n%s", err, c.want)
			}
		})
	}
}

// oneProblem has documents with one problem each.
func oneProblem() map[string]struct{ text, want string } {
	return map[string]struct{ text, want string }{
		"an unknown ship": {
			"services: {web: {build: web, instances: {web-1: {ship: shipa}}}}",
			`qa.yml:2:56: services.web.instances.web-1.ship: no ship "shipa" (did you mean "ship-a"?)`,
		},
		"a selector that matches nothing": {
			"services: {web: {build: web, count: 1, on: [role = db, 'zone notin (a, b)']}}",
			`qa.yml:2:44: services.web.on: no ship matches role = db, zone notin (a, b) (the ships are ship-a (role=web), ship-b (role=web))`,
		},
		"an unknown image": {
			"services: {web: {build: wep, count: 1}}",
			`qa.yml:2:25: services.web.build: no image "wep" is built (did you mean "web"?)`,
		},
		"a tag without a digest": {
			"services: {db: {image: 'postgres:17', count: 1}}",
			`qa.yml:2:24: services.db.image: the digest of "postgres:17" is not known (check that the registry has it, or write repository@sha256:…)`,
		},
		"a count that needs more ships": {
			"services: {web: {build: web, count: 3, ports: {http: '8080:80'}}}",
			`qa.yml:2:54: services.web.ports.http: web-1 and web-3 both want host port 80 of ship-a (give them different ships or ports, or let Docker pick the host port)`,
		},
		"two services, one host port": {
			"services:\n  a: {build: web, instances: {a-1: {ship: ship-a}}, ports: {x: '1:80'}}\n  b: {build: web, instances: {b-1: {ship: ship-a}}, ports: {y: {exposed: 2, external: 80, address: 10.0.0.1}}}",
			`qa.yml:4:64: services.b.ports.y: a-1 and b-1 both want host port 80 of ship-a (give them different ships or ports, or let Docker pick the host port)`,
		},
		"a cycle": {
			"services:\n  a: {build: web, count: 1, requires: [b]}\n  b: {build: web, count: 1, requires: [c]}\n  c: {build: web, count: 1, requires: [b]}",
			`qa.yml:4:39: services.b.requires: the services require each other: b → c → b (remove one of these requirements)`,
		},
		"an instance in two services": {
			"services:\n  a: {build: web, instances: {x: {ship: ship-a}}}\n  b: {build: web, instances: {x: {ship: ship-a}}}",
			`qa.yml:4:34: services.b.instances.x: service "a" has an instance "x" too (instance names are unique in a document)`,
		},
		"a path that is not allowed": {
			"services: {web: {build: web, count: 1, volumes: {/storage/../etc: /etc}}}",
			`qa.yml:2:67: services.web.volumes./storage/../etc: the host's /etc may not be mounted (server.yml allows /storage/)`,
		},
		"a path beside the allowed": {
			"services: {web: {build: web, count: 1, volumes: {/storage2: /etc}}}",
			`qa.yml:2:61: services.web.volumes./storage2: the host's /storage2 may not be mounted (server.yml allows /storage/)`,
		},
		"an unknown secret": {
			"services: {web: {build: web, count: 1, env: {A: 'x-${secret:unknown}'}}}",
			`qa.yml:2:49: services.web.env.A: no secret "unknown" (set it on the server for this environment)`,
		},
		"ships on a server": {
			"ships: {a: {endpoint: 'unix:///run/docker.sock'}}\nservices: {}",
			`qa.yml:2:8: ships: the server's ships are used here, not the document's (remove ships: and use names of the server's ships)`,
		},
		"a check of one port among two": {
			"services: {web: {build: web, count: 1, ports: {a: 1, b: 2}, lifecycle: {running: [{type: tcp}]}}}",
			`qa.yml:2:83: services.web.lifecycle.running.0: the check does not say which port (add port: with a name of ports, or a number; known here: a, b)`,
		},
	}
}

const full = `
name: portal-qa
services:
  db:
    image: postgres:17
    instances: {db-1: {ship: ship-b, env: {POSTGRES_DB: portal}}}
    env: {POSTGRES_DB: postgres, POSTGRES_PASSWORD: "${secret:db}"}
    volumes: {data: /var/lib/postgresql/data}
    stop_timeout: 1m
    stop_first: true
    lifecycle: {running: [{type: exec, command: pg_isready -q -t 1, max_wait: 2m}]}
  web:
    build: web
    count: 3
    on: {role: web}
    requires: [db]
    command: ["node", "server.js", "--name=two words"]
    ports: {http: 8080, dns: {exposed: 53, external: 53, address: 10.0.0.1, protocol: udp}}
    env: {URL: "postgres://app:${secret:db}@db/portal", LITERAL: "$${secret:db} ${HOME} $5"}
    volumes: {/storage/files/: {target: /data/, mode: ro}}
    lifecycle: {running: [{type: http, port: http, path: /up, host: portal.test, match_regex: ok, timeout: 2s, interval: 5s}, {type: tcp, port: 9090}]}
    restart: on-failure:3
`

func TestResolveMakesEverythingConcrete(t *testing.T) {
	h := newHarbour("ship-a", "ship-b", "ship-c")
	doc, err := deployer.Parse("qa.yml", []byte("batuta: 1\n"+full))
	if err != nil {
		t.Fatal(err)
	}
	if refs := doc.References(); !slices.Equal(refs, []string{"postgres:17"}) {
		t.Errorf("references = %v", refs)
	}
	in := h.input(t, image(1))
	in.Pins = map[string]batuta.Image{"postgres:17": {Repository: "docker.io/library/postgres", Digest: image(13).Digest}}
	spec, err := doc.Resolve(in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "spec.json", string(text)+"\n")
	for _, i := range spec.Instances {
		if strings.Contains(i.Spec, "hush") {
			t.Errorf("the label of %s shows a secret: %s", i.Name, i.Spec)
		}
		for _, v := range i.Env {
			if want := map[string]string{"URL": "postgres://app:hush-db@db/portal", "LITERAL": "${secret:db} ${HOME} $5", "POSTGRES_DB": "portal"}[v.Name]; want != "" && v.Value != want {
				t.Errorf("%s = %q, want %q", v.Name, v.Value, want)
			}
		}
	}
}

func TestResolveConfigFollowsEverythingThatMatters(t *testing.T) {
	h := newHarbour("ship-a", "ship-b", "ship-c")
	config := func(text string, change func(*deployer.Input)) string {
		doc, err := deployer.Parse("qa.yml", []byte("batuta: 1\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		in := h.input(t, image(1))
		in.Pins = map[string]batuta.Image{"postgres:17": image(13), "postgres:18": image(14)}
		change(&in)
		spec, err := doc.Resolve(in)
		if err != nil {
			t.Fatal(err)
		}
		return spec.Instances[0].Config
	}
	same := func(*deployer.Input) {}
	base := config(full, same)
	if again := config(full, func(in *deployer.Input) { in.Release++ }); again != base {
		t.Error("the release alone changes the config")
	}
	for what, other := range map[string]string{
		"image":   config(strings.ReplaceAll(full, "postgres:17", "postgres:18"), same),
		"env":     config(strings.ReplaceAll(full, "POSTGRES_DB: portal", "POSTGRES_DB: other"), same),
		"ship":    config(strings.ReplaceAll(full, "ship: ship-b", "ship: ship-a"), same),
		"check":   config(strings.ReplaceAll(full, "-t 1", "-t 2"), same),
		"volume":  config(strings.ReplaceAll(full, "data: /var", "store: /var"), same),
		"timeout": config(strings.ReplaceAll(full, "stop_timeout: 1m", "stop_timeout: 2m"), same),
		"secret": config(full, func(in *deployer.Input) {
			in.Secret = func(string) (string, bool) { return "changed", true }
		}),
		"scope of a named volume": config(full, func(in *deployer.Input) { in.Scope.Environment = "production" }),
	} {
		if other == base {
			t.Errorf("config is blind to the %s", what)
		}
	}
	if config(strings.ReplaceAll(full, "stop_first: true", "stop_first: false"), same) != base {
		t.Error("stop_first makes another container")
	}
}

func TestResolveLeavesCountedInstancesWhereTheyAre(t *testing.T) {
	h := newHarbour("ship-a", "ship-b", "ship-c")
	where := func(count string, current ...deployer.Container) map[batuta.InstanceName]batuta.ShipName {
		doc, err := deployer.Parse("qa.yml", []byte("batuta: 1\nservices: {web: {build: web, count: "+count+"}}"))
		if err != nil {
			t.Fatal(err)
		}
		in := h.input(t, image(1))
		in.Current = current
		spec, err := doc.Resolve(in)
		if err != nil {
			t.Fatal(err)
		}
		out := map[batuta.InstanceName]batuta.ShipName{}
		for _, i := range spec.Instances {
			out[i.Name] = i.Ship
		}
		return out
	}
	on := func(i batuta.InstanceName, s batuta.ShipName) deployer.Container {
		return deployer.Container{Instance: i, Ship: s, State: "running"}
	}
	for name, c := range map[string]struct {
		got, want map[batuta.InstanceName]batuta.ShipName
	}{
		"from nothing": {where("4"), map[batuta.InstanceName]batuta.ShipName{"web-1": "ship-a", "web-2": "ship-b", "web-3": "ship-c", "web-4": "ship-a"}},
		"one more":     {where("3", on("web-1", "ship-b"), on("web-2", "ship-a")), map[batuta.InstanceName]batuta.ShipName{"web-1": "ship-b", "web-2": "ship-a", "web-3": "ship-c"}},
		"one less":     {where("1", on("web-1", "ship-b"), on("web-2", "ship-a")), map[batuta.InstanceName]batuta.ShipName{"web-1": "ship-b"}},
		"a ship gone":  {where("2", on("web-1", "ship-x"), on("web-2", "ship-a")), map[batuta.InstanceName]batuta.ShipName{"web-1": "ship-b", "web-2": "ship-a"}},
	} {
		if !maps.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

func TestValidateKnowsTheImagesThatAreBuilt(t *testing.T) {
	doc, err := deployer.Parse("qa.yml", []byte("batuta: 1\nservices: {web: {build: wep, count: 1}}"))
	if err != nil || doc.Validate(nil) != nil {
		t.Fatalf("alone it is right: %v, %v", err, doc.Validate(nil))
	}
	if err := doc.Validate([]batuta.ImageName{"web"}); err == nil || !strings.Contains(err.Error(), `did you mean "web"?`) {
		t.Errorf("validate = %v", err)
	}
}

func TestShipsOfTheDocument(t *testing.T) {
	doc, err := deployer.Parse("qa.yml", []byte("batuta: 1\nships: {b: {endpoint: 'tcp://b:2376'}, a: {endpoint: 'unix:///a', address: 10.0.0.1, labels: {role: web}}}"))
	if err != nil {
		t.Fatal(err)
	}
	want := []deployer.DocumentShip{
		{Name: "a", Address: "10.0.0.1", Endpoint: "unix:///a", Labels: map[string]string{"role": "web"}},
		{Name: "b", Endpoint: "tcp://b:2376"},
	}
	if diff := cmp.Diff(want, doc.Ships()); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("batuta: 1\n" + full)
	wrong, err := os.ReadFile("testdata/wrong.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(wrong))
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := deployer.Parse("x.yml", []byte(text))
		doc.References()
		_, resolved := doc.Resolve(deployer.Input{Scope: qa, Ships: []deployer.ShipInfo{{Name: "ship-a"}}})
		if err != nil && resolved == nil {
			t.Errorf("Resolve takes what Parse refuses: %v", err)
		}
	})
}
