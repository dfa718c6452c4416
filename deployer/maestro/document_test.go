package maestro_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/maestro"
)

var someDigest = batuta.Digest("sha256:" + strings.Repeat("ab", 32))

const server = `
name: portal
ships: {node1: {ip: 10.0.0.1}}
services:
  web:
    image: portal:1
    instances:
      web-1: {ship: node1, volumes: {/data: /srv/portal, /etc/x: /etc, /n: named}, privileged: true, cap_add: [NET_ADMIN], net: host, links: {db: db}, lifecycle: {running: [{type: exec, command: ls}, {type: http, port: 80, host: 10.9.9.9}]}}
`

// TestResolveOnServer holds a document within what a server grants.
func TestResolveOnServer(t *testing.T) {
	t.Parallel()
	d, err := read(t, server)
	if err != nil {
		t.Fatal(err)
	}
	in := deployer.Input{
		Scope: deployer.Scope{App: "portal", Environment: "qa"},
		Ships: []deployer.ShipInfo{{Name: "node1", Address: "10.7.7.7"}},
		Pins:  map[string]batuta.Image{"portal:1": {Repository: "r/portal", Digest: someDigest}},
		Allow: deployer.Policy{Paths: []string{"/srv"}},
	}
	_, err = d.Resolve(in)
	for _, want := range []string{
		"n.yaml:8:58: services.web.instances.web-1.volumes./etc/x: the host's /etc may not be mounted",
		`services.web.instances.web-1.volumes./n: the volume named is not the environment's own (the app needs allow: {privileges: ["volume:named"]} in server.yml)`,
		`services.web.instances.web-1.lifecycle: a check of type local runs on the server itself`,
		`services.web.instances.web-1.lifecycle.running.1: a server asks nobody but the container (remove host)`,
		`services.web.instances.web-1.links: db is not an instance of this environment`,
		`services.web.instances.web-1.privileged: a privileged container is root on the ship`,
		`services.web.instances.web-1.cap_add: the capability NET_ADMIN is beyond what containers have`,
		`services.web.instances.web-1.net: net: host is the ship's own network`,
	} {
		wantProblem(t, err, want)
	}
	if strings.Contains(err.Error(), "/srv/portal may") {
		t.Errorf("what is allowed is refused: %v", err)
	}
}

// TestResolveUsesTheServersShips: their addresses are what variables tell; the
// document's own ships are nothing there, and saying so is no mistake.
func TestResolveUsesTheServersShips(t *testing.T) {
	t.Parallel()
	d, err := read(t, "name: n\nships: {node1: {ip: 10.0.0.1}}\nservices: {web: {image: app, instances: {web-1: {ship: node1}}}}\n")
	if err != nil {
		t.Fatal(err)
	}
	image := batuta.Image{Repository: "r/app", Digest: someDigest}
	spec, err := d.Resolve(deployer.Input{Ships: []deployer.ShipInfo{{Name: "node1", Address: "10.7.7.7"}}, Pins: map[string]batuta.Image{"app": image}, Release: 3})
	if err != nil {
		t.Fatal(err)
	}
	i := spec.Instances[0]
	if i.Image != image || i.Reference != "" || i.Called != "web-1" || i.Config == "" || i.Spec == "" || spec.Release != 3 {
		t.Errorf("instance = %+v", i)
	}
	if !slices.ContainsFunc(i.Env, func(v deployer.Variable) bool { return v.Name == "CONTAINER_HOST_ADDRESS" && v.Value == "10.7.7.7" }) {
		t.Errorf("env = %v", i.Env)
	}
	if len(spec.Warnings) != 1 || !strings.Contains(spec.Warnings[0].Message, "the server's ships are used here") {
		t.Errorf("warnings = %v", spec.Warnings)
	}
	if _, err := d.Resolve(deployer.Input{}); err == nil {
		t.Error("without a ship of the server's, the document's own is used")
	}
	_, err = d.Resolve(deployer.Input{OwnShips: true})
	wantProblem(t, err, `the digest of "app" is not known`)
}

// TestStrict makes problems of the warnings.
func TestStrict(t *testing.T) {
	t.Parallel()
	text := []byte("name: n\nshps: x\nships: {s: {ip: 10.0.0.1}}\nservices: {a: {image: app, instances: {a-1: {ship: s, ports: {ssh: 22:22}}}}}\n")
	d, err := maestro.Read("n.yaml", text, maestro.Options{})
	if err != nil || len(d.Warnings()) != 2 {
		t.Fatalf("%v, warnings %v", err, d.Warnings())
	}
	strict, err := maestro.Read("n.yaml", text, maestro.Options{Strict: true})
	problems, ok := errors.AsType[batuta.Problems](err)
	if diff := cmp.Diff(d.Warnings(), problems); !ok || diff != "" || len(strict.Warnings()) != 0 {
		t.Errorf("%v\n%s", strict.Warnings(), diff)
	}
	if err := strict.Validate(nil); !errors.Is(err, batuta.Invalid) {
		t.Errorf("Validate = %v", err)
	}
	if _, err := strict.Resolve(deployer.Input{OwnShips: true, Unpinned: true}); !errors.Is(err, batuta.Invalid) {
		t.Errorf("Resolve = %v", err)
	}
}

// TestFilesAreBesideTheDocument: templates do not leave its folder, and on a
// server there is none.
func TestFilesAreBesideTheDocument(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	dir := filepath.Join(outer, "environments")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"secret": "x: 1\n", "environments/ships.j2": "ships: {s: {ip: 10.0.0.1}}\n", "environments/a.env": "A=1\n"} {
		if err := os.WriteFile(filepath.Join(outer, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret", filepath.Join(dir, "link.j2")); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"name: n\n{% include 'ships.j2' %}\nservices: {}\n":                               "",
		"name: n\n{% include '/ships.j2' %}\n":                                            "",
		"name: n\n{% include '../secret' %}\n":                                            `n.yaml:2:1: template: template "../secret" cannot be read`,
		"name: n\n{% include 'link.j2' %}\n":                                              `n.yaml:2:1: template: template "link.j2" cannot be read`,
		"name: n\n{% include 'nothing.j2' %}\n":                                           `n.yaml:2:1: template: template "nothing.j2" cannot be read: no such file or directory`,
		"name: n\n{% include 'nothing.j2' ignore missing %}\n":                            "",
		"name: n\nservices: {a: {image: a, envfile: a.env, instances: {i: {ship: s}}}}\n": "",
	} {
		_, err := maestro.Read("n.yaml", []byte(text), maestro.Options{Dir: dir})
		if want == "" && err != nil {
			t.Errorf("%s: %v", text, err)
		} else if want != "" {
			wantProblem(t, err, want)
		}
		if _, err := maestro.Read("n.yaml", []byte(text), maestro.Options{}); err == nil && !strings.Contains(text, "ignore missing") || err != nil && !strings.Contains(err.Error(), "on a server, a document has no files beside it") {
			t.Errorf("on a server, %s: %v", text, err)
		}
	}
}

// TestServerSeesNoEnvironment: a document must not read the server's variables.
func TestServerSeesNoEnvironment(t *testing.T) {
	t.Setenv("MAESTRO_TEST_SECRET", "hidden")
	d, err := maestro.Read("n.yaml", []byte("name: n{{ env.MAESTRO_TEST_SECRET }}\n"), maestro.Options{})
	if err != nil || d.Name() != "n" {
		t.Errorf("name %q, %v", d.Name(), err)
	}
}

// TestRegistryServes tells which registry an image comes from.
func TestRegistryServes(t *testing.T) {
	t.Parallel()
	g := maestro.Registry{Name: "hub", Host: "registry.example.org:5000"}
	for image, want := range map[string]bool{
		"hub/app": true, "registry.example.org/app:1": true, "registry.example.org:5000/app": true,
		"app": false, "hub": false, "other/app": false, "registry.example.org:5001/app": false,
	} {
		if g.Serves(image) != want {
			t.Errorf("%s: %v", image, !want)
		}
	}
}

// TestLinkVariables has the example of MaestroNG's own page.
func TestLinkVariables(t *testing.T) {
	t.Parallel()
	peers := []maestro.Peer{{Instance: "inst-2", Host: "h2"}, {Instance: "inst-1.b", Host: "h1", Ports: []maestro.PeerPort{{Name: "ssh", External: "2222", Internal: "22"}}}}
	want := map[string]string{
		"MY_SVC_A_INSTANCES": "inst-1.b,inst-2", "MY_SVC_A_INST_1_B_HOST": "h1", "MY_SVC_A_INST_2_HOST": "h2",
		"MY_SVC_A_INST_1_B_SSH_PORT": "2222", "MY_SVC_A_INST_1_B_SSH_INTERNAL_PORT": "22",
	}
	if diff := cmp.Diff(want, maestro.LinkVariables("my-svc.a", peers, true)); diff != "" {
		t.Error(diff)
	}
	for ref, tag := range map[string]string{"a": "latest", "a:1": "1", "h:5000/a": "latest", "h:5000/a:b": "b", "a@sha256:abcd": "abcd", "a:": "latest"} {
		if got := maestro.ImageTag(ref); got != tag {
			t.Errorf("the tag of %s is %s, want %s", ref, got, tag)
		}
	}
}

// TestReadIsBounded refuses documents that would fill the memory or the time.
func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	laughs := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		n := string(rune('0' + i))
		laughs += "a" + string(rune('1'+i)) + ": &a" + string(rune('1'+i)) + " [" + strings.Repeat("*a"+n+",", 9) + "]\n"
	}
	for name, text := range map[string]string{
		"laughs": laughs, "itself": "a: &a [*a]\n", "big": strings.Repeat("#", 2<<20), "two": "a: 1\n---\nb: 1\n", "empty": "", "text": "text",
		"merge": "a: &a {<<: *a}\n", "keys": "? [a]\n: b\n", "blank": "name: {{ 'x' }}" + strings.Repeat("\n", 1_000_000),
	} {
		start := time.Now()
		if _, err := maestro.Read("n.yaml", []byte(text), maestro.Options{}); err == nil && name != "blank" || time.Since(start) > 10*time.Second {
			t.Errorf("%s: %v after %s", name, err, time.Since(start))
		}
	}
}

// FuzzRead reads anything without falling over, and resolves what it can.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := maestro.Read("n.yaml", []byte(text), maestro.Options{Env: map[string]string{"HOME": "/home"}})
		if err == nil {
			_, _ = d.Resolve(deployer.Input{Scope: d.Scope(), OwnShips: true, Unpinned: true})
			if checked := batuta.CheckLabel(string(d.Scope().Environment)); checked != nil {
				t.Error(checked)
			}
		}
		_, _, _, _ = d.Ships(), d.References(), d.Registries(), d.Audit()
	})
}

// TestTrapsInNames: a name is read as a value is, and a container is called so.
func TestTrapsInNames(t *testing.T) {
	t.Parallel()
	text := []byte("name: n\nships: {no: {ip: 10.0.0.1}}\nservices:\n  on: {image: app, instances: {1.10: {ship: \"False\", ports: {22:22: 80}}}}\n")
	d, err := maestro.Read("n.yaml", text, maestro.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range d.Warnings() {
		got = append(got, fmt.Sprintf("%d:%d %s", w.Line, w.Column, w.Message))
	}
	if diff := cmp.Diff([]string{
		"2:9 MaestroNG reads no as False (YAML 1.1)", "4:3 MaestroNG reads on as True (YAML 1.1)",
		"4:32 MaestroNG reads 1.10 as 1.1", "4:62 MaestroNG reads 22:22 as 1342 (base 60)",
	}, got); diff != "" {
		t.Error(diff)
	}
}

// TestPlacesInOtherTemplates: what is wrong in a template that is included,
// imported or extended is told by its own file and place.
func TestPlacesInOtherTemplates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.yaml": "{% extends 'base.yaml' %}\n{% import 'sub/macros.j2' as m %}\n{% block services %}\n" +
			"  web: {image: app, instances: {web-1: {ship: s, ports: {a: x, b: y}}}}\n{% include 'sub/db.yaml' %}\n" +
			"{% set n = 1 %}\n  m:\n    image: app\n    instances:\n      {{ m.instance('é', 'nothing') }}\n{% endblock %}",
		"base.yaml":     "name: n\nships: {s: {ip: 10.0.0.1, prt: 1}}\nservices:\n{% block services %}{% endblock %}\n",
		"sub/db.yaml":   "  {# the\n database #}\n  db:\n    image: db\n    instances: {db-1: {ship: s, prts: {}}}\n",
		"sub/macros.j2": "{% macro instance(name, port) -%}\n\n{{ name }}:\n        ship: s\n        ports: {a: {{ port }}, b: 99999}\n{%- endmacro %}",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "main.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = maestro.Read("envs/main.yaml", data, maestro.Options{Dir: dir, Strict: true})
	for _, want := range []string{
		`envs/main.yaml:4:61: services.web.instances.web-1.ports.a: "x" is not a port`,
		`envs/main.yaml:4:67: services.web.instances.web-1.ports.b: "y" is not a port`,
		`envs/base.yaml:2:27: ships.s.prt: MaestroNG does not read "prt" here`,
		`envs/sub/db.yaml:5:33: services.db.instances.db-1.prts: MaestroNG does not read "prts" here`,
		`envs/sub/macros.j2:5:20: services.m.instances.é.ports.a: "nothing" is not a port`,
		`envs/sub/macros.j2:5:35: services.m.instances.é.ports.b: `,
	} {
		wantProblem(t, err, want)
	}
}

// TestHiddenVariables: what tells of one service hides what tells of another,
// and what the document says, which MaestroNG lets happen in silence.
func TestHiddenVariables(t *testing.T) {
	t.Parallel()
	d, err := read(t, `
name: n
ships: {s1: {ip: 10.0.0.1}}
services:
  db: {image: x, instances: {a_b: {ship: s1, ports: {c: "1:11"}}, a.b: {ship: s1, ports: {c: "1:11"}}}}
  db_a: {image: x, instances: {b: {ship: s1, ports: {c: "1:13"}}}}
  web: {image: x, requires: [db, db_a], env: {DB_INSTANCES: x}, instances: {w: {ship: s1}}}
`)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := d.Resolve(deployer.Input{Ships: []deployer.ShipInfo{{Name: "s1", Address: "10.0.0.1"}}, OwnShips: true, Unpinned: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"n.yaml:5:35: services.db.instances.a_b: a.b and a_b are told of by the same variables: only one of them can be found",
		"n.yaml:7:80: services.web.instances.w: DB_A_B_C_PORT tells of db_a, and hides the variable of that name that tells of db",
		"n.yaml:7:80: services.web.instances.w: MaestroNG sets DB_INSTANCES to tell of db, over the document's own",
	} {
		if !strings.Contains(spec.Warnings.Error(), want) {
			t.Errorf("no warning %s among\n%v", want, spec.Warnings)
		}
	}
}
