package config_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/internal/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestParseReportsEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/mistakes.yml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.Parse("testdata/mistakes.yml", data)
	if err == nil {
		t.Fatal("no error")
	}
	got := err.Error() + "\n"
	if *update {
		if err := os.WriteFile("testdata/mistakes.golden", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/mistakes.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

const full = `
listen: 0.0.0.0:8480
url: https://batuta.example.edu/
data: /srv/batuta
registry:
  outside: {address: registry.example.edu, prefix: team, user: ci, password: {env: REGISTRY_PASSWORD}}
builder: docker+unix:///run/docker.sock
source: {max_size: 1.5GiB}
runs: {at_once: 4, retries: 0}
ships:
  node1: {endpoint: "unix:///var/run/docker.sock", labels: {role: web, rack: a}}
  node2: {endpoint: "tcp://10.0.0.12:2375", labels: {role: web}}
  node3: {endpoint: "tcp://[fd00::3]:2375", address: node3.example.edu}
  node4: {endpoint: "ssh://deploy@node4.example.edu:2222/run/docker.sock", ssh: {key: secrets/db_password}}
  node5: {endpoint: "tcp://127.0.0.1:2376", tls: {ca: secrets/db_password, server_name: docker}, ssh: {host: node5.example.edu}}
apps:
  portal:
    repository: https://git.example.edu/portal.git
    credentials: {token: {env: GIT_TOKEN}}
    webhook_secrets: [{env: PORTAL_WEBHOOK}]
    environments:
      qa: {ships: [node1]}
      production: {ships: {role: web}}
      preview:
    allow: {paths: [/storage/files/portal]}
    secrets: {db_password: {file: secrets/db_password}}
  blog: {keep: {releases: 9}}
people:
  ana: {token: {env: ANA_TOKEN}, may: deploy, apps: [portal]}
  ops: {token: literal-token-of-ops, may: admin}
dashboard: {anonymous: true}
reconcile: {every: 30s}
history: {events: 500}
notify: [{url: "https://chat.example.edu/in", secret: a-secret-between-us, on: [drift, lost]}]
keep: {releases: 3, artifacts: 48h, logs: 240h}
test: {ship: node2, at_once: 2}
`

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secrets", "db_password"), "s3cret\n")
	write(t, filepath.Join(dir, "server.yml"), text)
	for _, name := range []string{"REGISTRY_PASSWORD", "GIT_TOKEN", "PORTAL_WEBHOOK", "ANA_TOKEN"} {
		t.Setenv(name, "the value of "+name)
	}
	c, err := config.Load(filepath.Join(dir, "server.yml"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoadReadsTheWholeFile(t *testing.T) {
	c := load(t, full)
	for name, pair := range map[string][2]any{
		"url":            {c.URL, "https://batuta.example.edu"},
		"max size":       {c.Source.MaxSize, config.Size(3 << 29)},
		"runs":           {c.Runs, config.Runs{AtOnce: 4, Retries: 0}},
		"registry":       {c.Registry.Outside.Prefix, "team"},
		"password":       {c.Registry.Outside.Password.Reveal(), "the value of REGISTRY_PASSWORD"},
		"unix ship":      {c.Ships["node1"].Address, "127.0.0.1"},
		"tcp ship":       {c.Ships["node2"].Address, "10.0.0.12"},
		"named ship":     {c.Ships["node3"].Address, "node3.example.edu"},
		"ssh ship":       {c.Ships["node4"].Address, "node4.example.edu"},
		"its key":        {filepath.IsAbs(c.Ships["node4"].SSH.Key), true},
		"far ship":       {c.Ships["node5"].Address, "node5.example.edu"},
		"its name":       {c.Ships["node5"].TLS.ServerName, "docker"},
		"file secret":    {c.Apps["portal"].Secrets["db_password"].Reveal(), "s3cret"},
		"env secret":     {c.Apps["portal"].WebhookSecrets[0].Reveal(), "the value of PORTAL_WEBHOOK"},
		"literal token":  {c.People["ops"].Token.Reveal(), "literal-token-of-ops"},
		"anonymous":      {c.Dashboard.Anonymous, true},
		"reconcile":      {c.Reconcile.Every, 30 * time.Second},
		"history":        {c.History.Events, 500},
		"notify":         {c.Notify[0].URL.Reveal() + " " + c.Notify[0].Secret.Reveal(), "https://chat.example.edu/in a-secret-between-us"},
		"notify on":      {c.Notify[0].On[1], batuta.OnLost},
		"keep":           {c.Keep.Releases, 3},
		"keep artifacts": {c.Keep.Artifacts, 48 * time.Hour},
		"keep logs":      {c.Keep.Logs, 240 * time.Hour},
		"test":           {c.Test, config.Test{Ship: "node2", AtOnce: 2}},
		"test ship":      {c.TestShip("portal"), batuta.ShipName("node2")},
		"keep of blog":   {c.Apps["blog"].Keep.Releases, 9},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestGrantedShips(t *testing.T) {
	c := load(t, full)
	all := []batuta.ShipName{"node1", "node2", "node3", "node4", "node5"}
	for _, w := range []struct {
		app   batuta.AppName
		env   batuta.EnvironmentName
		ships []batuta.ShipName
		ok    bool
	}{
		{"portal", "qa", all[:1], true},
		{"portal", "production", all[:2], true},
		{"portal", "preview", all, true},
		{"portal", "elsewhere", nil, false},
		{"blog", "anything", all, true},
		{"nobody", "qa", nil, false},
	} {
		ships, ok := c.Granted(w.app, w.env)
		if diff := cmp.Diff(w.ships, ships); diff != "" || ok != w.ok {
			t.Errorf("%s %s: %v %s", w.app, w.env, ok, diff)
		}
	}
}

func TestDefaults(t *testing.T) {
	c := load(t, "ships: {here: {endpoint: unix:///var/run/docker.sock}}\n")
	got := []any{c.Listen, c.URL, c.Data, c.Registry.Address, c.Builder, c.Source.MaxSize, c.Runs, c.Reconcile, c.History, c.Keep}
	want := []any{"127.0.0.1:8480", "http://127.0.0.1:8480", "/var/lib/batuta", "127.0.0.1:8480", "docker", config.Size(500e6), config.Runs{AtOnce: 2, Retries: 3}, config.Reconcile{Every: time.Minute}, config.History{Events: 10_000}, config.Keep{Releases: 5, Deliveries: 720 * time.Hour, Artifacts: 720 * time.Hour, Logs: 2160 * time.Hour}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	c = load(t, "listen: :8480\nurl: http://batuta.example.edu:8480\nships: {here: {endpoint: unix:///var/run/docker.sock}}\n")
	if c.Registry.Address != "batuta.example.edu:8480" {
		t.Errorf("the registry is at %s", c.Registry.Address)
	}
}

func TestSeveralBuilders(t *testing.T) {
	const ships = "ships: {here: {endpoint: unix:///var/run/docker.sock}}\n"
	c := load(t, "builders: {here: {address: docker, limit: 2}, big: {address: \"tcp://10.0.0.9:1234\"}}\nsbom: example.edu/scanner:1\n"+ships)
	want := map[string]config.Builder{"here": {Address: "docker", Limit: 2}, "big": {Address: "tcp://10.0.0.9:1234"}}
	if diff := cmp.Diff(want, c.BuiltBy()); diff != "" || c.SBOM != "example.edu/scanner:1" {
		t.Error(diff, c.SBOM)
	}
	if diff := cmp.Diff(map[string]config.Builder{"docker": {Address: "docker"}}, load(t, ships).BuiltBy()); diff != "" {
		t.Error(diff)
	}
	_, err := config.Parse("server.yml", []byte(`builder: docker
builders:
  a: {address: "tcp://10.0.0.9", limit: 0}
  b: {address: docker, limits: 2}
  c: {address: docker}
  d: {}
  "e f": {address: docker}
sbom: a scanner
`+ships))
	problems := `server.yml:1:10: builder: builders is there, too (write one of the two)
server.yml:3:16: builders.a.address: "tcp://10.0.0.9" has no port (Docker's is 2375, buildkitd's 1234)
server.yml:3:41: builders.a.limit: 0 is less than 1
server.yml:4:24: builders.b.limits: unknown key "limits" (did you mean "limit"?)
server.yml:5:16: builders.c.address: docker is the builder b already (give each builder once, with the limit of both)
server.yml:6:6: builders.d.address: missing (write docker, unix:///run/buildkit/buildkitd.sock or tcp://host:1234)
server.yml:7:10: builders.e f: "e f" is not a name (use 1 to 63 letters, digits, '_', '.' and '-', beginning with a letter or digit)
server.yml:7:20: builders.e f.address: docker is the builder c already (give each builder once, with the limit of both)
server.yml:8:7: sbom: "a scanner" is not an image (write its reference, as in docker.io/docker/buildkit-syft-scanner:1)`
	if diff := cmp.Diff(problems, fmt.Sprint(err)); diff != "" {
		t.Error(diff)
	}
}

func TestListeningEverywhereNeedsAURL(t *testing.T) {
	t.Parallel()
	_, err := config.Parse("server.yml", []byte("listen: 0.0.0.0:8480\nships: {a: {endpoint: unix:///run/docker.sock}}\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "server.yml:1:9: listen: ") {
		t.Errorf("error = %v", err)
	}
}

func TestLoadOfNoFile(t *testing.T) {
	t.Parallel()
	if _, err := config.Load(filepath.Join(t.TempDir(), "server.yml")); !errors.Is(err, batuta.NotFound) {
		t.Errorf("error = %v", err)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	ana := config.Person{May: config.Deploy, Apps: []batuta.AppName{"portal"}}
	for want, asked := range map[bool][]config.Right{true: {config.Read, config.Push, config.Deploy}, false: {config.Admin, "", "sudo"}} {
		for _, right := range asked {
			if got := ana.Can(right, "portal"); got != want {
				t.Errorf("ana can %s portal: %v", right, got)
			}
		}
	}
	if ana.Can(config.Read, "blog") || !ana.Can(config.Read, "") || (config.Person{}).Can(config.Read, "") {
		t.Error("rights reach too far, or not far enough")
	}
}

func TestSecretsNeverShow(t *testing.T) {
	t.Parallel()
	p := config.Person{Token: config.NewSecret("hunter2hunter2hunter2"), May: config.Read}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "person", p, "token", p.Token)
	text, _ := json.Marshal(p)
	for _, shown := range []string{
		fmt.Sprint(p), fmt.Sprintf("%+v %#v %s %q %x %d", p, p, p.Token, p.Token, p.Token, p.Token), string(text), log.String(),
	} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e74657232") {
			t.Errorf("shown: %s", shown)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full)
	f.Add("ships: {a: {endpoint: \"tcp://%zz\"}}\napps: {a: {repository: \"::\"}}")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := config.Parse("server.yml", []byte(text)); (c == nil) == (err == nil) {
			t.Errorf("%v, %v", c, err)
		}
	})
}

func TestWhereTheRegistryIs(t *testing.T) {
	t.Parallel()
	const rest = "\nships: {a: {endpoint: \"unix:///a.sock\"}}\npeople: {ana: {token: 0123456789abcdef, may: admin}}\n"
	for _, c := range []struct {
		text, address string
		plain         bool
	}{
		{"listen: 10.0.0.5:8480", "10.0.0.5:8480", true},
		{"listen: :8480\nurl: http://batuta.example.edu", "batuta.example.edu:80", true},
		{"listen: :8480\nurl: https://batuta.example.edu", "batuta.example.edu:443", false},
		{"listen: 127.0.0.1:8480\nurl: https://batuta.example.edu\nregistry: {address: \"batuta.example.edu:443\"}", "batuta.example.edu:443", false},
		{"listen: 127.0.0.1:8480\nurl: https://batuta.example.edu\nregistry: {address: \"10.0.0.5:8480\"}", "10.0.0.5:8480", true},
	} {
		got, err := config.Parse("server.yml", []byte(c.text+rest))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got.Registry.Address != c.address || got.PlainRegistry() != c.plain {
			t.Errorf("%s: the registry is %s (plain: %v), want %s (plain: %v)", c.text, got.Registry.Address, got.PlainRegistry(), c.address, c.plain)
		}
	}
}

func TestReconcileWithinBounds(t *testing.T) {
	t.Parallel()
	for every, ok := range map[string]bool{"5s": true, "1h": true, "0": true, "0s": true, "4s": false, "61m": false, "-1s": false} {
		_, err := config.Parse("server.yml", []byte("ships: {a: {endpoint: unix:///run/docker.sock}}\nreconcile: {every: "+every+"}\n"))
		if (err == nil) != ok {
			t.Errorf("every %s: %v", every, err)
		}
	}
}
