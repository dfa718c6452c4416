package deployer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"batuta"
	"batuta/deployer"
)

// fleetOf is n ships in three zones.
func fleetOf(n int) []deployer.ShipInfo {
	var out []deployer.ShipInfo
	for k := range n {
		out = append(out, deployer.ShipInfo{
			Name: batuta.ShipName(fmt.Sprintf("ship-%04d", k)), Address: "10.0.0.1",
			Labels: map[string]string{"zone": string(rune('a' + k%3))},
		})
	}
	return out
}

func resolve(tb testing.TB, text string, ships []deployer.ShipInfo, current []deployer.Container) (deployer.Spec, error) {
	tb.Helper()
	doc, err := deployer.Parse("qa.yml", []byte("batuta: 1\n"+text))
	if err != nil {
		tb.Fatal(err)
	}
	return doc.Resolve(deployer.Input{
		Scope: qa, Ships: ships, Current: current, Images: map[batuta.ImageName]batuta.Image{"web": image(1)},
		Secret: func(name string) (string, bool) { return "hush-" + name, true },
	})
}

// running is what a specification is once it is applied.
func running(s deployer.Spec) []deployer.Container {
	var out []deployer.Container
	for _, i := range s.Instances {
		out = append(out, deployer.Container{ID: string(i.Name), Service: i.Service, Instance: i.Name, Ship: i.Ship, Config: i.Config, Spec: i.Spec, State: "running"})
	}
	return out
}

func places(s deployer.Spec) string {
	var out []string
	for _, i := range s.Instances {
		out = append(out, strings.TrimPrefix(string(i.Ship), "ship-"))
	}
	return strings.Join(out, " ")
}

func TestPlacement(t *testing.T) {
	t.Parallel()
	const four = "services: {web: {build: web, count: 4, spread: zone}}"
	ships := fleetOf(4) // zones a b c a
	spec, err := resolve(t, four, ships[:2], nil)
	if err != nil || places(spec) != "0000 0001 0000 0001" {
		t.Fatal(places(spec), err)
	}
	joined, _ := resolve(t, four, ships[:3], running(spec))
	if places(joined) != "0000 0001 0000 0002" {
		t.Errorf("zones 2 2 0 → %s", places(joined))
	}
	for name, c := range map[string]struct {
		change func([]deployer.ShipInfo)
		want   string
	}{
		"cordoned": {func(s []deployer.ShipInfo) { s[1].Cordoned = true }, "0000 0001 0000 0001"},
		"leaving":  {func(s []deployer.ShipInfo) { s[1].Leaving = true }, "0000 0000 0000 0000"},
	} {
		two := slices.Clone(ships[:2])
		c.change(two)
		if got, err := resolve(t, four, two, running(spec)); err != nil || places(got) != c.want {
			t.Errorf("%s: %s %v, want %s", name, places(got), err, c.want)
		}
	}
	two := slices.Clone(ships[:2])
	two[0].Leaving, two[1].Leaving = true, true
	if _, err := resolve(t, four, two, nil); err == nil || !strings.Contains(err.Error(), "cordoned or being left") {
		t.Errorf("nowhere to go: %v", err)
	}
	if stay, err := resolve(t, four, two, running(spec)); err != nil || places(stay) != places(spec) || len(stay.Warnings) != 4 || !strings.Contains(stay.Warnings[0].Message, "no other ship takes it") {
		t.Errorf("nowhere else to go: %v, %v, %v", places(stay), stay.Warnings, err)
	}
	if alone, _ := resolve(t, four, ships[:1], nil); len(alone.Warnings) != 1 {
		t.Errorf("warnings = %v", alone.Warnings)
	}
	each, err := resolve(t, "services: {agent: {build: web, count: each}}", ships, nil)
	if err != nil || len(each.Instances) != 4 || each.Instances[3].Name != "agent-ship-0003" {
		t.Errorf("each = %v %v", each.Instances, err)
	}
}

func TestPlacementLooksForFreeHostPorts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, text, want string }{
		"two services want one port":            {"", `{a: {build: web, count: 1, ports: {http: "80:80"}}, b: {build: web, count: 1, ports: {http: "81:80"}}}`, "a-1 0000, b-1 0001"},
		"one is held by whoever names it":       {"", `{a: {build: web, count: 1, ports: {http: "80:80"}}, b: {build: web, ports: {http: "81:80"}, instances: {b-1: {ship: ship-0000}}}}`, "a-1 0001, b-1 0000"},
		"the ship's own network":                {"", `{a: {build: web, count: 1, net: host, ports: {http: 80}}, b: {build: web, count: 2, ports: {http: "81:80"}}}`, "a-1 0000, b-1 0001, b-2 0002"},
		"another protocol is another port":      {"", `{a: {build: web, count: 3, ports: {http: "80:80"}}, b: {build: web, count: 1, ports: {http: "81:80/udp"}}}`, "a-1 0000, a-2 0001, a-3 0002, b-1 0000"},
		"less choice goes first":                {"", `{a: {build: web, count: 1, ports: {http: "80:80"}}, b: {build: web, count: 1, on: {zone: a}, ports: {http: "80:80"}}}`, "a-1 0001, b-1 0000"},
		"who is there stays":                    {`{b: {build: web, count: 1, ports: {http: "80:80"}}}`, `{a: {build: web, count: 1, ports: {http: "80:80"}}, b: {build: web, count: 1, ports: {http: "80:80"}}}`, "a-1 0001, b-1 0000"},
		"who is there goes if it has to":        {`{b: {build: web, count: 2, ports: {http: "80:80"}}}`, `{a: {build: web, count: 2, ports: {http: "80:80"}}, b: {build: web, count: 1, ports: {http: "80:80"}}}`, "a-1 0002, a-2 0001, b-1 0000"},
		"a service's instances never share one": {"", `{a: {build: web, count: 3, ports: {http: "80:80"}}}`, "a-1 0000, a-2 0001, a-3 0002"},
	} {
		var have []deployer.Container
		if c.before != "" {
			before, err := resolve(t, "services: "+c.before, fleetOf(3), nil)
			if err != nil {
				t.Fatal(err)
			}
			have = running(before)
		}
		doc, err := deployer.Parse("qa.yml", []byte("batuta: 1\nservices: "+c.text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := doc.Resolve(deployer.Input{
			Scope: qa, Ships: fleetOf(3), Current: have, Images: map[batuta.ImageName]batuta.Image{"web": image(1)}, Allow: deployer.Everything(),
		})
		var at []string
		for _, i := range got.Instances {
			at = append(at, fmt.Sprint(i.Name, " ", strings.TrimPrefix(string(i.Ship), "ship-")))
		}
		slices.Sort(at)
		if text := strings.Join(at, ", "); err != nil || text != c.want {
			t.Errorf("%s: %s, %v; want %s", name, text, err, c.want)
		}
	}
	if _, err := resolve(t, `services: {a: {build: web, count: 2, ports: {http: "80:80"}}}`, fleetOf(1), nil); err == nil || !strings.Contains(err.Error(), "both want host port 80") {
		t.Errorf("no ship is free: %v", err)
	}
}

func TestPolicyRefusesWhatIsBeyondTheUsual(t *testing.T) {
	t.Parallel()
	for text, hint := range map[string]string{
		"privileged: true": `"privileged"`, "net: host": `"host-network"`, "cap_add: [sys_admin]": `"cap:SYS_ADMIN"`, "devices: [/dev/fuse]": `"devices"`,
		"security_opt: [seccomp=unconfined]": `"security-opt"`, "sysctls: {net.a.b: 1}": `"sysctls"`, "networks: [other]": `"network:other"`,
		"log_driver: syslog": `"log-driver"`, "lifecycle: {running: [{type: local, command: id}]}": `"local-checks"`,
		"lifecycle: {running: [{type: tcp, outside: 169.254.169.254, port: 80}]}": `"outside-checks"`,
	} {
		_, err := resolve(t, "services: {web: {build: web, count: 1, "+text+"}}", fleetOf(1), nil)
		if err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %v, want %s", text, err, hint)
		}
	}
	if _, err := resolve(t, "services: {web: {build: web, count: 1, cap_drop: ALL, cap_add: NET_BIND_SERVICE, security_opt: no-new-privileges}}", fleetOf(1), nil); err != nil {
		t.Error(err)
	}
}

func TestTraitsHooksAndVariables(t *testing.T) {
	t.Parallel()
	const text = `
update: {at_once: 50%, watch: 30s}
services:
  db: {build: web, limits: {memory: 512m, pids: 9}, ports: {pg: "5432:15432"}, instances: {db-1: {ship: ship-0000, limits: {memory: 1g}}}}
  web:
    build: web
    count: 1
    requires: [db]
    env: {DB_INSTANCES: mine, GONE: }
    secrets: [key]
    update: {order: stop_first}
    hooks: {before: [{run: migrate all, timeout: 1m}]}
`
	spec, err := resolve(t, text, fleetOf(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	if l := spec.Instances[0].Limits; l.Memory != 1<<30 || l.PIDs != 9 {
		t.Errorf("limits = %+v", l)
	}
	web := spec.Instances[1]
	var env []string
	for _, v := range web.Env {
		env = append(env, fmt.Sprint(v.Name, "=", v.Value, v.Unset))
	}
	want := []string{"DB_DB_1_HOST=10.0.0.1false", "DB_DB_1_PG_INTERNAL_PORT=5432false", "DB_DB_1_PG_PORT=15432false", "DB_INSTANCES=minefalse", "GONE=true"}
	if !slices.Equal(env, want) {
		t.Errorf("env = %v", env)
	}
	if f := web.Secrets; len(f) != 1 || f[0].Value != "hush-key" || f[0].Target != "/run/secrets/key" || strings.Contains(web.Spec, "hush") {
		t.Errorf("secrets = %+v", f)
	}
	s := spec.Services["web"]
	if s.Update.AtOnce.Percent != 50 || !s.Update.StopFirst || !web.StopFirst {
		t.Errorf("update = %+v", s.Update)
	}
	if h := s.Hooks.Before; len(h) != 1 || h[0].Instance.Name != "web-before-1" || h[0].Instance.Restart != "no" || !slices.Equal(h[0].Instance.Command, []string{"migrate", "all"}) {
		t.Errorf("hooks = %+v", h)
	}
	later, err := resolve(t, strings.ReplaceAll(text, "memory: 1g", "memory: 2g"), fleetOf(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	plan := deployer.Diff(later, deployer.State{Containers: running(spec)})
	if got := plan.Changes[0].Reasons; !slices.Equal(got, []string{"limit memory 1g → 2g"}) {
		t.Errorf("reasons = %q", got)
	}
}

func BenchmarkPlan(b *testing.B) {
	var text strings.Builder
	text.WriteString("services:\n")
	for n := range 100 {
		fmt.Fprintf(&text, "  s%02d: {build: web, count: 50, spread: zone, ports: {http: 80}}\n", n)
	}
	ships := fleetOf(5000)
	first, err := resolve(b, text.String(), ships, nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, current := range map[string][]deployer.Container{"new": nil, "same": running(first)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				spec, err := resolve(b, text.String(), ships, current)
				if err != nil {
					b.Fatal(err)
				}
				deployer.Diff(spec, deployer.State{Containers: current})
			}
		})
	}
}
