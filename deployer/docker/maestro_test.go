package docker_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/deployer/maestro"
)

// everyKey has every key of a MaestroNG instance that Docker is told of.
const everyKey = `
__maestro: {schema: 2}
name: campus
ships: {node1: {ip: 10.0.0.1}, node2: {ip: 10.0.0.2}}
services:
  data:
    image: reg.example.edu/data:1
    instances: {data-1: {ship: node1, container_volumes: /files}}
  web:
    image: reg.example.edu/web:2
    env: {DEBUG: yes, EMPTY: "", GONE: null}
    limits: {memory: 1g, cpu: 2}
    ports: {http: "80:8080", dns: "53/udp:5353/udp"}
    instances:
      web-1:
        ship: node1
        command: nginx -g "daemon off;"
        limits: {swap: 2G}
        ports: {admin: {exposed: 25, external: [10.0.0.1, 2525]}, any: "1234:18300-18302"}
        volumes: {/storage: {target: /srv, mode: ro}, /var/log/web: /var/log/nginx, cache: /cache}
        container_volumes: [/tmp/scratch]
        volumes_from: data-1
        links: {data-1: data}
        privileged: true
        cap_add: [NET_ADMIN]
        cap_drop: [MKNOD]
        extra_hosts: {db: 10.1.1.1, other: {ship: node2}}
        restart: {name: on-failure, retries: 3}
        dns: [8.8.8.8, 8.8.4.4]
        stop_timeout: 30
        log_driver: syslog
        log_opt: {tag: web, syslog-facility: 3}
        security_opt: ["label:disable"]
        ulimits: {nproc: 1024, nofile: {soft: 1000, hard: 2000}}
        username: www-data
        workdir: /srv
        labels: {team: web}
`

// sentByMaestroNG is what MaestroNG 0.8.3 has docker-py send for web-1, without
// what is null, false or zero; its binds by target, as it has no order for them.
const sentByMaestroNG = `{
	"Hostname": "web-1", "User": "www-data", "WorkingDir": "/srv", "Image": "reg.example.edu/web:2", "StopTimeout": 30,
	"Cmd": ["nginx", "-g", "daemon off;"],
	"Env": [
		"CONTAINER_HOST_ADDRESS=10.0.0.1", "CONTAINER_NAME=web-1", "DEBUG=True", "DOCKER_IMAGE=reg.example.edu/web:2", "DOCKER_TAG=2",
		"EMPTY=", "GONE", "MAESTRO_ENVIRONMENT_NAME=campus", "SERVICE_NAME=web",
		"WEB_INSTANCES=web-1", "WEB_WEB_1_ADMIN_INTERNAL_PORT=25", "WEB_WEB_1_ADMIN_PORT=2525", "WEB_WEB_1_ANY_INTERNAL_PORT=1234",
		"WEB_WEB_1_ANY_PORT=18300-18302", "WEB_WEB_1_DNS_INTERNAL_PORT=53", "WEB_WEB_1_DNS_PORT=5353", "WEB_WEB_1_HOST=10.0.0.1",
		"WEB_WEB_1_HTTP_INTERNAL_PORT=80", "WEB_WEB_1_HTTP_PORT=8080"
	],
	"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "25/tcp": {}, "1234/tcp": {}},
	"Volumes": {"/srv": {}, "/var/log/nginx": {}, "/cache": {}, "/tmp/scratch": {}},
	"Labels": {"team": "web"},
	"HostConfig": {
		"Binds": ["cache:/cache:rw", "/storage:/srv:ro", "/var/log/web:/var/log/nginx:rw"],
		"PortBindings": {
			"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "53/udp": [{"HostIp": "0.0.0.0", "HostPort": "5353"}],
			"25/tcp": [{"HostIp": "10.0.0.1", "HostPort": "2525"}], "1234/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18300-18302"}]
		},
		"VolumesFrom": ["data-1"], "Links": ["data-1:data"], "ExtraHosts": ["db:10.1.1.1", "other:10.0.0.2"], "Dns": ["8.8.8.8", "8.8.4.4"],
		"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
		"LogConfig": {"Type": "syslog", "Config": {"tag": "web", "syslog-facility": "3"}},
		"Privileged": true, "CapAdd": ["NET_ADMIN"], "CapDrop": ["MKNOD"], "SecurityOpt": ["label:disable"],
		"Ulimits": [{"Name": "nofile", "Soft": 1000, "Hard": 2000}, {"Name": "nproc", "Soft": 1024, "Hard": 1024}],
		"CpuShares": 2, "Memory": 1073741824, "MemorySwap": 2147483648
	}
}`

func TestMaestroDocumentMakesTheContainerThatMaestroNGMakes(t *testing.T) {
	t.Parallel()
	d, err := maestro.Read("maestro.yaml", []byte(everyKey), maestro.Options{})
	must(t, err)
	spec, err := d.Resolve(deployer.Input{Scope: d.Scope(), OwnShips: true, Unpinned: true, Allow: deployer.Policy{Paths: []string{"/"}}})
	must(t, err)
	for _, i := range spec.Instances {
		if i.Name != "web-1" {
			continue
		}
		body, err := docker.CreateBody(d.Scope(), 0, i)
		must(t, err)
		if diff := cmp.Diff(decoded(t, []byte(sentByMaestroNG)), withoutOurs(decoded(t, body))); diff != "" {
			t.Error(diff)
		}
	}
}

// withoutOurs leaves out Batuta's labels and network.
func withoutOurs(body any) any {
	m, _ := body.(map[string]any)
	delete(m, "NetworkingConfig")
	host, _ := m["HostConfig"].(map[string]any)
	delete(host, "NetworkMode")
	labels, _ := m["Labels"].(map[string]any)
	maps.DeleteFunc(labels, func(key string, _ any) bool { return strings.HasPrefix(key, "batuta.") })
	return m
}
