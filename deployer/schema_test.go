package deployer

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"

	"batuta/internal/schema"
)

// forms are the schemas of the types that read themselves.
func forms() map[reflect.Type]*jsonschema.Schema {
	key := func(name string, of *jsonschema.Schema) schema.Key { return schema.Key{Name: name, Of: of} }
	need := func(name string, of *jsonschema.Schema) schema.Key {
		return schema.Key{Name: name, Of: of, Required: true}
	}
	word, flag := schema.Scalar(), schema.OneOf(&jsonschema.Schema{Type: "boolean"}, schema.Word("true", "false"))
	whole := schema.OneOf(&jsonschema.Schema{Type: "integer"}, schema.Text("^-?[0-9]+$"))
	from := func(least, most int) *jsonschema.Schema {
		return schema.OneOf(schema.Whole(least, most), schema.Text("^[0-9]+$"))
	}
	inside := schema.Text("^/+[^/]") // a path in the container
	number := `[1-9][0-9]{0,4}(/(tcp|udp))?`
	side := schema.OneOf(schema.Whole(1, 65535), schema.Text("^"+number+"$"))
	many := schema.OneOf(word, schema.List(word))
	bytes := schema.OneOf(schema.Text(`^[0-9]+(\.[0-9]+)?[kmgtKMGT]?([iI]?[bB])?$`), schema.Whole(1, 1<<60))
	time := schema.Duration()
	return map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[text]():      schema.OneOf(word, &jsonschema.Schema{Type: "null"}),
		reflect.TypeFor[command]():   many,
		reflect.TypeFor[oneOrMore](): many,
		reflect.TypeFor[size]():      bytes,
		reflect.TypeFor[count]():     schema.OneOf(schema.Word("each"), from(0, maxCount)),
		reflect.TypeFor[amount]():    schema.OneOf(schema.Text(`^[0-9]+%?$`), schema.Whole(0, maxCount)),
		reflect.TypeFor[selector]():  schema.OneOf(schema.Map(word), schema.List(schema.Text(""))),
		reflect.TypeFor[unserved]():  jsonschema.FalseSchema,
		reflect.TypeFor[unread]():    jsonschema.FalseSchema,
		reflect.TypeFor[tmpfs]():     schema.OneOf(many, schema.Map(word)),
		reflect.TypeFor[ulimit]():    schema.OneOf(whole, schema.Object(need("soft", whole), need("hard", whole))),
		reflect.TypeFor[host]():      schema.OneOf(word, schema.Object(need("ship", word))),
		reflect.TypeFor[networks]():  schema.OneOf(many, schema.Map(schema.OneOf(&jsonschema.Schema{Type: "null"}, schema.Object(key("aliases", many))))),
		reflect.TypeFor[port]():      schema.OneOf(side, schema.Text("^"+number+":"+number+"$"), schema.Object(need("exposed", side), key("external", side), key("address", word), key("protocol", schema.Word("tcp", "udp")))),
		reflect.TypeFor[volume]():    schema.OneOf(inside, schema.Object(need("target", inside), key("mode", schema.Word("ro", "rw")))),
		reflect.TypeFor[secretFiles](): schema.OneOf(schema.List(word), schema.Map(schema.OneOf(&jsonschema.Schema{Type: "null"}, schema.Text("^/"),
			schema.Object(key("target", schema.Text("^/")), key("mode", word), key("uid", from(0, 1<<31)), key("gid", from(0, 1<<31)))))),
		reflect.TypeFor[limits](): schema.Object(key("cpus", schema.OneOf(&jsonschema.Schema{Type: "number", Minimum: "0", Maximum: "8192"}, schema.Text(`^[0-9.]+$`))), key("cpu_shares", from(0, mostShares)), key("memory", bytes),
			key("swap", schema.OneOf(bytes, &jsonschema.Schema{Const: -1}, schema.Word("-1"))), key("pids", from(0, mostPIDs))),
		reflect.TypeFor[healthcheck](): schema.Object(key("test", many), key("interval", time), key("timeout", time), key("start_period", time), key("retries", from(0, 1<<31)), key("disable", flag)),
		reflect.TypeFor[hook]():        schema.OneOf(word, schema.Object(schema.Key{Name: "run", Of: many, Required: true}, key("timeout", time), key("image", word))),
		reflect.TypeFor[update](): schema.Object(key("at_once", schema.OneOf(schema.Text(`^([1-9][0-9]*|[1-9][0-9]?%|100%)$`), schema.Whole(1, 1<<31))), key("order", schema.Word(startFirst, stopFirst)), key("wait", time),
			key("canary", schema.OneOf(schema.Text(`^[0-9]+%?$`), whole)), key("tolerate", schema.OneOf(schema.Text(`^[0-9]+%?$`), whole)), key("watch", time), key("on_failure", schema.Word(rollback, pauses))),
		reflect.TypeFor[check](): schema.Object(schema.Key{Name: "type", Of: schema.Word("tcp", "http", "exec", "health", "sleep", "local"), Required: true},
			key("port", word), key("path", schema.Text("^/")), key("host", word), key("scheme", schema.Word("http", "https")), key("method", schema.Text("^[A-Z]+$")),
			key("headers", schema.Map(word)), key("insecure", flag), key("status", schema.OneOf(schema.Whole(100, 599), schema.Text("^[1-5][0-9][0-9]$"))), key("match_regex", word), key("outside", word),
			key("follow", flag), key("stdin", flag), key("attempts", schema.OneOf(schema.Whole(1, maxAttempts), schema.Text("^[1-9][0-9]*$"))), key("command", many), key("wait", time), key("max_wait", time), key("timeout", time), key("interval", time)),
	}
}

// TestSchema holds docs/schema/environment.json against the types, and against
// documents that are right and wrong, which Parse must judge the same.
func TestSchema(t *testing.T) {
	t.Parallel()
	published := schema.Published(t, "..", schema.File{
		Name: "environment", Title: "environments/NAME.yml", Description: "What runs in an environment: docs/environments.md",
		Type: body{}, Required: []string{"batuta"}, Own: forms(),
	})
	right := []string{everyKey}
	examples, err := filepath.Glob("../examples/*/environments/*.yml")
	if err != nil || len(examples) == 0 {
		t.Fatal("no examples", err)
	}
	for _, file := range examples {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		right = append(right, string(text))
	}
	for _, text := range right {
		if err := schema.Check(published, []byte(text)); err != nil {
			t.Errorf("%s\nis refused by the schema: %v", text, err)
		}
		if _, err := Parse("x.yml", []byte(text)); err != nil {
			t.Errorf("%s\nis refused: %v", text, err)
		}
	}
	for _, line := range []string{
		"count: some", "count: 1001", "count: -1", "prots: {a: 1}", "limits: {memory: much}", "limits: {ram: 1g}", "update: {order: backwards}",
		"update: {at_once: half}", "hooks: {before: [{timeout: 1m}]}", "hooks: {during: [x]}", "privileged: maybe", "tmpfs: {/a: [b]}", "secrets: {a: relative}",
		"lifecycle: {running: [{type: ping}]}", "lifecycle: {ready: []}", "healthcheck: {tset: x}", "ulimits: {nofile: many}", "extra_hosts: {a: {boat: b}}",
		"ulimits: {nofile: {soft: 5}}", "ports: {http: 0}", "ports: {http: a}", "ports: {http: {external: 80}}", `ports: {http: "80:0"}`, "extra_hosts: {a: {}}", "shm_size: 0", "shm_size: -1",
		"limits: {pids: -1}", "limits: {cpus: -1}", "limits: {cpu_shares: 262145}", "healthcheck: {test: x, retries: -1}", "update: {at_once: 0}", "update: {at_once: -1}", "update: {at_once: 150%}",
		"volumes: {/a: /}", "volumes: {/a: {mode: ro}}", "secrets: {a: {target: /a, uid: -1}}", "lifecycle: {running: [{type: exec, command: x, attempts: 0}]}",
		"routes: [{host: a}]", "envfile: x.env", "volumes: {data: {target: /d, mode: rx}}", "stop_timeout: 5 minutes", "networks: {a: {alias: b}}",
	} {
		text := []byte("batuta: 1\nservices: {web: {image: a, " + line + "}}")
		if schema.Check(published, text) == nil {
			t.Errorf("the schema takes %s", line)
		}
		if _, err := Parse("x.yml", text); err == nil {
			t.Errorf("Parse takes %s", line)
		}
	}
}

// TestSchemaTakesWhatIsTaken: values that Parse takes in several forms.
func TestSchemaTakesWhatIsTaken(t *testing.T) {
	t.Parallel()
	published := schema.Published(t, "..", schema.File{
		Name: "environment", Title: "environments/NAME.yml", Description: "What runs in an environment: docs/environments.md",
		Type: body{}, Required: []string{"batuta"}, Own: forms(),
	})
	for _, line := range []string{
		`count: "2"`, `limits: {cpus: "1.5", pids: "5", cpu_shares: "5"}`, `limits: {swap: "-1", memory: 1g}`, "limits: {memory: 6291456}", `limits: {memory: "6291456"}`,
		`ulimits: {nofile: "5", core: -1, nproc: {soft: "5", hard: 6}}`, `ports: {a: 80, b: "81", c: "82:83", d: 53/udp, e: "54/udp:55/udp", f: {exposed: 56/udp, external: "57"}}`,
		`lifecycle: {running: [{type: http, port: 80, status: "200"}, {type: exec, command: x, attempts: "5"}]}`, "update: {at_once: 50%}", `update: {at_once: "2"}`, "volumes: {/a: {target: //b}}",
		"extra_hosts: {a: host-gateway}", "shm_size: 64m", `secrets: {a: {target: /a, uid: "5", mode: "0440"}}`, `lifecycle: {running: [{type: http, port: 80, insecure: "true"}]}`,
	} {
		if !strings.HasPrefix(line, "count") {
			line = "count: 1, " + line
		}
		text := []byte("batuta: 1\nservices: {web: {image: a, " + line + "}}")
		if err := schema.Check(published, text); err != nil {
			t.Errorf("the schema refuses %s: %v", line, err)
		}
		if _, err := Parse("x.yml", text); err != nil {
			t.Errorf("Parse refuses %s: %v", line, err)
		}
	}
}

const everyKey = `
batuta: 1
drift: repair
lost_after: 5m
update: {at_once: 25%, watch: 30s}
ships: {a: {endpoint: "tcp://a:2376", address: 10.0.0.1, labels: {role: web, rack: 1}, tls: {ca: ca.pem}, ssh: {user: ops}, timeout: 5s}}
services:
  web:
    image: nginx:1.27
    count: 2
    on: [role = web]
    spread: zone
    requires: [db]
    wants_info: [db]
    omit: false
    lost_after: 1m
    entrypoint: [sh, -c]
    command: run it
    env: {A: 1, B: }
    secrets: {db: /run/secrets/db, key: {target: /k, mode: 0440, uid: 1, gid: 1}}
    ports: {http: "80:8080", dns: {exposed: 53, external: 53, address: 10.0.0.1, protocol: udp}}
    volumes: {data: /data, more: {target: /more, mode: ro}}
    lifecycle:
      pre-start: [{type: sleep, wait: 1s}]
      running: [{type: http, port: http, path: /up, scheme: https, method: HEAD, headers: {A: b}, insecure: true, status: 204}, {type: health}]
      pre-stop: [{type: exec, command: [drain]}]
      stopped: [{type: tcp, outside: lb.example.edu, port: 80}]
    restart: always
    stop_timeout: 30s
    stop_first: true
    hostname: w
    user: "1000:1000"
    workdir: /srv
    stop_signal: SIGINT
    platform: linux/amd64
    labels: {team: a}
    aliases: [www]
    networks: {shared: {aliases: [w]}}
    extra_hosts: {gw: host-gateway, a: {ship: a}}
    dns: 10.0.0.53
    privileged: false
    cap_add: [NET_ADMIN]
    cap_drop: ALL
    security_opt: [no-new-privileges]
    limits: {cpus: 1.5, cpu_shares: 512, memory: 512m, swap: 1g, pids: 100}
    ulimits: {nofile: 1024, nproc: {soft: 10, hard: 20}}
    log_driver: local
    log_opt: {max-size: 10m}
    devices: [/dev/fuse]
    tmpfs: {/tmp: size=64m}
    read_only: true
    init: true
    shm_size: 128m
    sysctls: {net.core.somaxconn: 1024}
    healthcheck: {test: curl -f localhost, interval: 10s, retries: 3}
    container_volumes: [/cache]
    update: {order: stop_first, wait: 5s, canary: 1, tolerate: 1, on_failure: pause}
    hooks: {before: [{run: migrate, timeout: 5m, image: "tools:1"}], after: [warm up], on_failure: [{run: [tell, us]}]}
  db: {image: postgres:17, instances: {db-1: {ship: a, limits: {memory: 1g}, ports: {pg: "5432:5432"}}}}
  agent: {image: agent:1, count: each, net: host}
`
