package deployer_test

import (
	"strings"
	"testing"

	"batuta/deployer"
)

// TestWhatTheEngineRefuses is refused when the document is read: each of these
// was taken, and failed when its container was made or started.
func TestWhatTheEngineRefuses(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"hostname: " + strings.Repeat("a", 65):                       "hostname: a host name of 65 characters (at most 64)",
		`user: "a:b:c"`:                                              `user: "a:b:c" is not a user`,
		`user: "-1"`:                                                 `user: "-1" is not a user`,
		"limits: {cpus: 0.001}":                                      "limits: cpus is 0.001 (write a number of cores",
		"limits: {cpus: 1e300}":                                      "limits: cpus is 1e+300",
		"limits: {cpu_shares: 262145}":                               "limits: cpu_shares 262145 are too many",
		"limits: {pids: 4194305}":                                    "limits: pids 4194305 is more than Linux has",
		"cap_add: [NET_ADMN]":                                        `cap_add.0: there is no capability "NET_ADMN" (did you mean "NET_ADMIN"?)`,
		"cap_drop: [ALL, x]":                                         `cap_drop.1: there is no capability "x"`,
		"stop_signal: SIGFOO":                                        `stop_signal: "SIGFOO" is not a signal`,
		`stop_signal: "0"`:                                           `stop_signal: "0" is not a signal`,
		"ulimits: {nofiles: 5}":                                      `ulimits.nofiles: there is no ulimit "nofiles" (did you mean "nofile"?)`,
		"ulimits: {nofile: -1}":                                      "ulimits.nofile: the kernel bounds the number of open files (write a number: 1048576)",
		"ulimits: {core: {soft: -1, hard: 5}}":                       "ulimits.core: soft -1, which is no bound, is above hard 5",
		"ulimits: {core: -2}":                                        "ulimits.core: a ulimit is negative",
		"sysctls: {vm.swappiness: 10}":                               "sysctls.vm.swappiness: vm.swappiness is not a container's own",
		"net: host, sysctls: {net.core.somaxconn: 1}":                "sysctls.net.core.somaxconn: with net: host, net.core.somaxconn is the ship's",
		"log_driver: json-file, log_opt: {max-sizes: 1m}":            `log_opt.max-sizes: log_driver json-file has no option "max-sizes" (did you mean "max-size"?)`,
		"log_driver: local, log_opt: {max-size: x}":                  `log_opt.max-size: "x" is not a size`,
		`log_driver: local, log_opt: {max-file: "0"}`:                `log_opt.max-file: "0" is not a number of files`,
		"log_driver: gelf":                                           "log_driver: gelf has no address",
		`volumes: {"/a:b": /x}`:                                      "volumes./a:b: Docker takes no colon",
		`volumes: {/a: "/x:y"}`:                                      "volumes./a: Docker takes no colon",
		"volumes: {/a: /x}, tmpfs: [/x/]":                            "tmpfs: /x stands under volumes already (keep one)",
		"volumes: {/a: /x}, container_volumes: [/x]":                 "container_volumes.0: /x stands under volumes already",
		"container_volumes: [/x, /x]":                                "container_volumes.1: /x stands under container_volumes already",
		"container_volumes: [x]":                                     `container_volumes.0: "x" is not a path in the container`,
		"tmpfs: {/x: foo}":                                           `tmpfs./x: "foo" is not an option of a tmpfs`,
		`tmpfs: {/x: "size=1m,mode=99"}`:                             `tmpfs./x: "mode=99" is not an option of a tmpfs`,
		"security_opt: [foo]":                                        `security_opt.0: "foo" is not a security option`,
		`security_opt: ["seccomp=/a.json"]`:                          `security_opt.0: "seccomp=/a.json" is not a security option`,
		"dns: [one.one.one.one]":                                     `dns.0: "one.one.one.one" is not an address`,
		`command: [""]`:                                              "command: its first word is empty",
		"aliases: [a/b]":                                             `aliases.0: "a/b" is not a host name`,
		`links: {other: "a:b"}`:                                      `links.other: "a:b" is not a host name`,
		"net: container:other, hostname: x":                          "hostname: with net: container:other there can be no hostname",
		"net: container:other, dns: [10.0.0.1]":                      "dns: with net: container:other there can be no dns",
		"net: container:other, extra_hosts: {a: 10.0.0.1}":           "extra_hosts: with net: container:other there can be no extra_hosts",
		"net: host, links: {other: a}":                               "links: with net: host there can be no links",
		"net: host, volumes: {a: /x}, volumes_from: [other], dns: x": `dns.0: "x" is not an address`,
	} {
		_, err := inEngine(line)
		if err == nil || !strings.Contains(err.Error(), "x.yml:4:") || !strings.Contains(err.Error(), "services.web."+want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

// TestWhatTheEngineTakes is not refused.
func TestWhatTheEngineTakes(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"hostname: a_b", `user: "1000:1000"`, "user: www-data", "user: domain.user$", "limits: {cpus: 0.01, cpu_shares: 2, memory: 6m, pids: 1}", "cap_add: [CAP_SYS_ADMIN, sys_admin, ALL]",
		"stop_signal: TERM", `stop_signal: "64"`, "stop_signal: SIGRTMIN+3", "ulimits: {nofile: 1048576, core: -1, memlock: {soft: 5, hard: -1}}", "sysctls: {net.ipv4.ip_forward: 1, kernel.msgmax: 1, fs.mqueue.msg_max: 10}",
		`log_driver: json-file, log_opt: {max-size: 10m, max-file: "2", tag: x}`, "log_driver: loki, log_opt: {any: thing}", `volumes: {"/a b": "/x y"}`, `tmpfs: {/x: "rw,noexec,size=50%,mode=1777"}`,
		"security_opt: [no-new-privileges, \"no-new-privileges:true\", \"label=disable\", \"apparmor:x\", \"seccomp=unconfined\", 'seccomp={\"a\": 1}']", `dns: "::1"`, "net: host, hostname: x", "net: none, links: {other: x}",
	} {
		if _, err := inEngine(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestVolumesWithoutAnApp have a name that Docker takes.
func TestVolumesWithoutAnApp(t *testing.T) {
	t.Parallel()
	spec, err := inEngine("volumes: {data: /data}")
	if err != nil || spec.Instances[1].Volumes[0].Source != "home_data" {
		t.Errorf("%+v, %v", spec.Instances, err)
	}
}

func inEngine(line string) (deployer.Spec, error) {
	doc, err := deployer.Parse("x.yml", []byte("batuta: 1\nservices:\n  o: {image: app, instances: {other: {ship: s}}}\n  web: {image: app, instances: {web-1: {ship: s}}, "+line+"}\n"))
	if err != nil {
		return deployer.Spec{}, err
	}
	return doc.Resolve(deployer.Input{Scope: deployer.Scope{Environment: "home"}, OwnShips: true, Unpinned: true, Ships: []deployer.ShipInfo{{Name: "s", Address: "10.0.0.1"}}})
}

// TestHiddenVariables: what tells of one instance hides what tells of another.
func TestHiddenVariables(t *testing.T) {
	t.Parallel()
	doc, err := deployer.Parse("x.yml", []byte(`batuta: 1
services:
  db: {image: x, instances: {a_b: {ship: s, ports: {c: "1:11"}}}}
  db_a: {image: x, instances: {b: {ship: s, ports: {c: "1:13"}}}}
  q: {image: x, instances: {q-1: {ship: s, ports: {c: "1:14"}}, q_1: {ship: s, ports: {c: "1:15"}}}}
  web: {image: x, requires: [db, db_a], wants_info: [q], instances: {w: {ship: s}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := doc.Resolve(deployer.Input{OwnShips: true, Unpinned: true, Ships: []deployer.ShipInfo{{Name: "s", Address: "10.0.0.1"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"x.yml:4:9: services.db_a: DB_A_B_C_PORT tells of db_a, and hides what tells of db",
		"x.yml:5:6: services.q: two instances are told of by the same variable Q_Q_1_C_PORT: only one of them can be found",
	} {
		if !strings.Contains(spec.Warnings.Error(), want) {
			t.Errorf("no warning %s among\n%v", want, spec.Warnings)
		}
	}
}

// TestAllThatIsWrongWithAMapping is told at once.
func TestAllThatIsWrongWithAMapping(t *testing.T) {
	t.Parallel()
	for line, wants := range map[string][]string{
		"limits: {cpus: 0.001, cpu_shares: 1, memory: 1m, pids: -1, ram: 1}":               {"cpus is 0.001", "cpu_shares 1 is", "memory 1m is", "pids is negative", `"ram"`},
		"update: {order: x, on_failure: y, at_once: 0, watch: 2h}":                         {`"x" is not an order`, `"y" is not what`, "at_once is 0", "wait and watch"},
		"healthcheck: {interval: 1us, timeout: 1us, retries: -1}":                          {"has no test", "interval is under", "timeout is under", "retries is negative"},
		`lifecycle: {running: [{type: exec, path: x, method: g, timeout: 2h, status: 5}]}`: {"takes no path", "takes no method", "needs a command", `"x" is not a path`, `"g" is not a method`, "5 is not a status", "timeout must be"},
	} {
		_, err := inEngine(line)
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s, too", line, err, want)
			}
		}
	}
}
