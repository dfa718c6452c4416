package docker_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
)

var (
	portalQA = deployer.Scope{App: "portal", Environment: "qa"}
	aDigest  = batuta.Digest("sha256:" + strings.Repeat("a", 64))
)

// plain is the least that an instance has.
func plain(change func(*deployer.Instance)) deployer.Instance {
	i := deployer.Instance{
		Name: "web-1", Service: "web", Ship: "node1", Image: batuta.Image{Repository: "reg.example.edu/portal/web", Digest: aDigest},
		Restart: "no", StopTimeout: 10 * time.Second, Config: "c0ffee", Spec: "{}",
	}
	change(&i)
	return i
}

func createBody(t *testing.T, i deployer.Instance) []byte {
	t.Helper()
	got, err := docker.CreateBody(portalQA, 7, i)
	must(t, err)
	return got
}

func TestCreateBodyIsNoMoreThanWasAskedFor(t *testing.T) {
	t.Parallel()
	want := `{
		"Hostname": "web-1",
		"Image": "reg.example.edu/portal/web@` + string(aDigest) + `",
		"Labels": {
			"batuta.app": "portal", "batuta.environment": "qa", "batuta.service": "web", "batuta.instance": "web-1", "batuta.release": "7",
			"batuta.config": "c0ffee", "batuta.spec": "{}", "batuta.image": "reg.example.edu/portal/web@` + string(aDigest) + `"
		},
		"StopTimeout": 10,
		"HostConfig": {"NetworkMode": "batuta-portal-qa", "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}},
		"NetworkingConfig": {"EndpointsConfig": {"batuta-portal-qa": {"Aliases": ["web", "web-1"]}}}
	}`
	if diff := cmp.Diff(decoded(t, []byte(want)), decoded(t, createBody(t, plain(func(*deployer.Instance) {})))); diff != "" {
		t.Error(diff)
	}
}

func decoded(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	must(t, json.Unmarshal(data, &v))
	return v
}

// bodyCases have what each setting adds to the body, as the Engine's reference
// has it: a path of keys, and the JSON there.
var bodyCases = []struct {
	name   string
	change func(*deployer.Instance)
	want   map[string]string
}{
	{"command", func(i *deployer.Instance) { i.Command, i.Entrypoint = []string{"npm", "start"}, []string{"tini", "--"} },
		map[string]string{"Cmd": `["npm","start"]`, "Entrypoint": `["tini","--"]`}},
	{"environment", func(i *deployer.Instance) {
		i.Env = []deployer.Variable{{Name: "Z", Value: "last"}, {Name: "B", Unset: true}, {Name: "A", Value: "x=y"}, {Name: "E"}, {Name: "PW", Value: "hunter2", Secret: true}}
	}, map[string]string{"Env": `["A=x=y","B","E=","PW=[secret]","Z=last"]`}},
	{"hostname", func(i *deployer.Instance) { i.Hostname = "portal" }, map[string]string{"Hostname": `"portal"`}},
	{"who and where", func(i *deployer.Instance) { i.User, i.Workdir, i.StopSignal = "app:app", "/srv", "SIGQUIT" },
		map[string]string{"User": `"app:app"`, "WorkingDir": `"/srv"`, "StopSignal": `"SIGQUIT"`}},
	{"stop timeout", func(i *deployer.Instance) { i.StopTimeout = 1500 * time.Millisecond }, map[string]string{"StopTimeout": `2`}},
	{"no stop timeout", func(i *deployer.Instance) { i.StopTimeout = 0 }, map[string]string{"StopTimeout": `0`}},
	{"an image that no registry was asked for", func(i *deployer.Instance) { i.Image, i.Reference = batuta.Image{}, "nginx:1.25" },
		map[string]string{"Image": `"nginx:1.25"`, "Labels/batuta.image": ``}},
	{"labels", func(i *deployer.Instance) {
		i.Labels = map[string]string{"team": "web", "batuta.app": "other", "batuta.role": "probe"}
	}, map[string]string{"Labels/team": `"web"`, "Labels/batuta.app": `"portal"`, "Labels/batuta.role": ``}},
	{"ports", func(i *deployer.Instance) {
		i.Ports = []deployer.Port{
			{Container: 80, Host: 80, Address: "0.0.0.0", Protocol: "tcp"}, {Container: 80, Host: 8080, Protocol: "tcp"},
			{Container: 53, Protocol: "udp"}, {Container: 1234, Host: 18300, HostEnd: 18302, Protocol: "tcp"},
		}
	}, map[string]string{
		"ExposedPorts": `{"1234/tcp":{},"53/udp":{},"80/tcp":{}}`,
		"HostConfig/PortBindings": `{"1234/tcp":[{"HostIp":"","HostPort":"18300-18302"}],"53/udp":[{"HostIp":"","HostPort":""}],
			"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"80"},{"HostIp":"","HostPort":"8080"}]}`,
	}},
	{"volumes", func(i *deployer.Instance) {
		i.Volumes = []deployer.Volume{
			{Source: "/storage", Target: "/files"}, {Source: "/etc/portal", Target: "/config", ReadOnly: true, Options: "Z"},
			{Source: "portal_qa_data", Target: "/data", Options: "rw,nocopy"},
		}
		i.AnonymousVolumes, i.VolumesFrom, i.Tmpfs = []string{"/cache"}, []batuta.InstanceName{"data-1"}, map[string]string{"/tmp": "size=64m"}
	}, map[string]string{
		"Volumes":                `{"/cache":{},"/config":{},"/data":{},"/files":{}}`,
		"HostConfig/Binds":       `["/storage:/files:rw","/etc/portal:/config:ro,Z","portal_qa_data:/data:rw,nocopy"]`,
		"HostConfig/VolumesFrom": `["data-1"]`, "HostConfig/Tmpfs": `{"/tmp":"size=64m"}`,
	}},
	{"secret files", func(i *deployer.Instance) {
		i.Secrets = []deployer.SecretFile{{Target: "/run/secrets/a", Value: "hunter2"}, {Target: "/run/secrets/b", Value: "hunter2"}, {Target: "/etc/tls/key", Value: "hunter2"}}
	}, map[string]string{"Volumes": `{"/etc/tls":{},"/run/secrets":{}}`}},
	{"restart", func(i *deployer.Instance) { i.Restart = "on-failure:5" }, map[string]string{"HostConfig/RestartPolicy": `{"Name":"on-failure","MaximumRetryCount":5}`}},
	{"limits", func(i *deployer.Instance) {
		i.Limits = deployer.Limits{CPUShares: 512, CPUs: 0.29, Memory: 64 << 20, Swap: -1, PIDs: 100}
		i.Ulimits, i.ShmSize = []deployer.Ulimit{{Name: "nofile", Soft: 1024, Hard: 2048}}, 1<<20
	}, map[string]string{
		"HostConfig/CpuShares": `512`, "HostConfig/NanoCpus": `290000000`, "HostConfig/Memory": `67108864`, "HostConfig/MemorySwap": `-1`,
		"HostConfig/PidsLimit": `100`, "HostConfig/ShmSize": `1048576`, "HostConfig/Ulimits": `[{"Name":"nofile","Hard":2048,"Soft":1024}]`,
	}},
	{"rights", func(i *deployer.Instance) {
		i.Privileged, i.ReadOnly, i.Init = true, true, true
		i.CapAdd, i.CapDrop, i.SecurityOpt = []string{"NET_ADMIN", "SYS_TIME"}, []string{"all"}, []string{"no-new-privileges"}
		i.Sysctls = map[string]string{"net.core.somaxconn": "1024"}
	}, map[string]string{
		"HostConfig/Privileged": `true`, "HostConfig/ReadonlyRootfs": `true`, "HostConfig/Init": `true`,
		"HostConfig/CapAdd": `["NET_ADMIN","SYS_TIME"]`, "HostConfig/CapDrop": `["all"]`, "HostConfig/SecurityOpt": `["no-new-privileges"]`,
		"HostConfig/Sysctls": `{"net.core.somaxconn":"1024"}`,
	}},
	{"devices", func(i *deployer.Instance) { i.Devices = []string{"/dev/fuse", "/dev/sda:/dev/xvda:r", "/dev/null:rw"} }, map[string]string{
		"HostConfig/Devices": `[{"PathOnHost":"/dev/fuse","PathInContainer":"/dev/fuse","CgroupPermissions":"rwm"},
			{"PathOnHost":"/dev/sda","PathInContainer":"/dev/xvda","CgroupPermissions":"r"},{"PathOnHost":"/dev/null","PathInContainer":"/dev/null","CgroupPermissions":"rw"}]`,
	}},
	{"logs", func(i *deployer.Instance) {
		i.LogDriver, i.LogOptions = "json-file", map[string]string{"max-size": "10m"}
	},
		map[string]string{"HostConfig/LogConfig": `{"Type":"json-file","Config":{"max-size":"10m"}}`}},
	{"names", func(i *deployer.Instance) {
		i.ExtraHosts, i.DNS, i.Links = []string{"db:10.0.0.9"}, []string{"10.0.0.53"}, []deployer.Link{{Instance: "db-1", Alias: "db"}}
		i.Aliases = []string{"portal"}
	}, map[string]string{
		"HostConfig/ExtraHosts": `["db:10.0.0.9"]`, "HostConfig/Dns": `["10.0.0.53"]`, "HostConfig/Links": `["db-1:db"]`,
		"NetworkingConfig/EndpointsConfig": `{"batuta-portal-qa":{"Aliases":["web","web-1","portal"],"Links":["db-1:db"]}}`,
	}},
	{"another's network", func(i *deployer.Instance) { i.NetworkMode = "container:db-1" },
		map[string]string{"HostConfig/NetworkMode": `"container:db-1"`, "Hostname": ``, "NetworkingConfig": ``}},
	{"the ship's network", func(i *deployer.Instance) { i.NetworkMode, i.Hostname = "host", "node" },
		map[string]string{"HostConfig/NetworkMode": `"host"`, "Hostname": `"node"`, "NetworkingConfig": ``}},
	{"health", func(i *deployer.Instance) {
		i.Healthcheck = &deployer.Healthcheck{Test: []string{"CMD", "true"}, Interval: time.Second, Timeout: 2 * time.Second, StartPeriod: 3 * time.Second, Retries: 4}
	}, map[string]string{"Healthcheck": `{"Test":["CMD","true"],"Interval":1000000000,"Timeout":2000000000,"StartPeriod":3000000000,"Retries":4}`}},
}

func TestCreateBodyHasEverySetting(t *testing.T) {
	t.Parallel()
	for _, c := range bodyCases {
		body := createBody(t, plain(c.change))
		if bytes.Contains(body, []byte("hunter2")) {
			t.Errorf("%s: a secret is in %s", c.name, body)
		}
		if again := createBody(t, plain(c.change)); !bytes.Equal(body, again) {
			t.Errorf("%s: twice the same is not the same:\n%s\n%s", c.name, body, again)
		}
		for path, want := range c.want {
			got := at(decoded(t, body), strings.Split(path, "/"))
			switch {
			case want == "" && got != nil:
				t.Errorf("%s: %s is there: %v", c.name, path, got)
			case want != "":
				if diff := cmp.Diff(decoded(t, []byte(want)), got); diff != "" {
					t.Errorf("%s: %s:\n%s", c.name, path, diff)
				}
			}
		}
	}
}

// at is what is found below the keys; nil for nothing.
func at(v any, keys []string) any {
	for _, key := range keys {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func TestCreateBodyRefusesWhatDockerCouldNotMean(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*deployer.Instance){
		"a restart policy":     func(i *deployer.Instance) { i.Restart = "sometimes" },
		"a device":             func(i *deployer.Instance) { i.Devices = []string{"fuse"} },
		"a device's rights":    func(i *deployer.Instance) { i.Devices = []string{"/dev/fuse:/dev/fuse:x"} },
		"a secret at the root": func(i *deployer.Instance) { i.Secrets = []deployer.SecretFile{{Target: "/key"}} },
		"a secret at no place": func(i *deployer.Instance) { i.Secrets = []deployer.SecretFile{{Target: "key"}} },
		"a secret kept on the ship": func(i *deployer.Instance) {
			i.Volumes, i.Secrets = []deployer.Volume{{Source: "/etc/tls", Target: "/tls"}}, []deployer.SecretFile{{Target: "/tls/key"}}
		},
		"a secret that memory hides": func(i *deployer.Instance) {
			i.Tmpfs, i.Secrets = map[string]string{"/run": ""}, []deployer.SecretFile{{Target: "/run/key"}}
		},
	} {
		if got, err := docker.CreateBody(portalQA, 7, plain(change)); !errors.Is(err, batuta.Invalid) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
