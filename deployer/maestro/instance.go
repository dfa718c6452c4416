package maestro

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"batuta"
)

var (
	instanceKeys = []string{
		"ship", "image", "command", "cmd", "ports", "env", "envfile", "volumes", "container_volumes", "volumes_from", "links",
		"lifecycle", "limits", "privileged", "cap_add", "cap_drop", "extra_hosts", "net", "restart", "dns", "stop_timeout",
		"log_driver", "log_opt", "security_opt", "ulimits", "username", "workdir", "labels",
	}
	// instanceHints are for those who know another tool's words.
	instanceHints = map[string]string{
		"env_file": "write envfile", "environment": "write env", "network_mode": "write net", "working_dir": "write workdir", "user": "write username",
		"links_from": "write links", "healthcheck": "write lifecycle: {running: […]}", "mem_limit": "write limits: {memory: …}", "cpu_shares": "write limits: {cpu: …}",
		"lxc_conf": "Docker has no LXC driver any more; remove it", "logging": "write log_driver and log_opt",
		"entrypoint": "only a document of the format batuta: 1 has it", "networks": "only a document of the format batuta: 1 has it",
		"devices": "only a document of the format batuta: 1 has it", "hostname": "the instance's name is the hostname",
	}
)

// serviceHints are for those who write in a service what belongs elsewhere.
func serviceHints() map[string]string {
	out := map[string]string{"env_file": "write envfile", "environment": "write env", "depends_on": "write requires"}
	for _, key := range instanceKeys {
		if !slices.Contains(serviceKeys, key) {
			out[key] = "it belongs to each instance"
		}
	}
	return out
}

// instance reads an instance, with what its service gives to all.
func (r *reader) instance(schema int, service string, s *service, name string, v *value) *instance {
	i := &instance{at: v, name: name, service: service, image: s.image, env: map[string]*string{}, own: map[string]bool{}}
	if !r.dict(v) {
		r.problem(v, "the instance has no ship", "write {ship: NAME}")
		i.at = &value{line: v.line, column: v.column, path: v.path}
		return i
	}
	r.known(v, instanceKeys, instanceHints)
	i.ship, i.shipAt = r.needed(v, "ship", "write ship: and the name of one of ships"), v.get("ship")
	if own := v.get("image"); !own.isNull() {
		i.image = r.text(own)
		r.image(own, i.image)
	}
	r.variables(i, s)
	i.command = r.command(v)
	i.ports = r.ports(s.at.get("ports"), v.get("ports"))
	i.restart = r.restart(v.get("restart"))
	i.stopTimeout = r.seconds(v.get("stop_timeout"), 10*time.Second)
	i.hosts = r.extraHosts(v.get("extra_hosts"))
	r.settings(i, s.at.get("limits"), v)
	r.volumes(schema, i, v.get("volumes"))
	r.anonymous(i, v.get("container_volumes"))
	i.checks = r.lifecycle(i, s.at.get("lifecycle"), v.get("lifecycle"))
	return i
}

// variables reads what the service and the instance say, and notes which the
// instance says itself.
func (r *reader) variables(i *instance, s *service) {
	r.environment(i.env, s.envfile, true)
	r.environment(i.env, s.env, false)
	r.overwritten(s.env, "MAESTRO_ENVIRONMENT_NAME", "SERVICE_NAME")
	r.overwritten(i.at.get("env"), "CONTAINER_NAME", "CONTAINER_HOST_ADDRESS", "DOCKER_IMAGE", "DOCKER_TAG")
	own := map[string]*string{}
	r.environment(own, i.at.get("envfile"), true)
	r.environment(own, i.at.get("env"), false)
	for name, value := range own {
		i.env[name], i.own[name] = value, true
	}
}

// overwritten warns of variables that MaestroNG sets itself, over these.
func (r *reader) overwritten(env *value, names ...string) {
	for _, name := range names {
		if v := env.get(name); v != nil {
			r.warn(v, "MaestroNG sets "+name+" itself, over this", "choose another name")
		}
	}
}

// image checks a reference, and tells of the tag that MaestroNG finds in one
// by digest.
func (r *reader) image(v *value, ref string) {
	if ref == "" {
		return
	}
	if !imageForm().MatchString(ref) {
		r.problem(v, fmt.Sprintf("%q is not an image reference", ref), "write repository:tag or repository@sha256:…")
		return
	}
	if strings.Contains(ref, "@") {
		r.warn(v, fmt.Sprintf("MaestroNG sets DOCKER_TAG to %s…, a part of the digest", ImageTag(ref)[:12]), "an application that reads DOCKER_TAG needs a tag here; others do not mind")
	}
}

// command is what runs: a list, or a line that is split as Python's shlex does.
func (r *reader) command(in *value) []string {
	v := in.get("command")
	if old := in.get("cmd"); v == nil && old != nil {
		r.warn(old, "cmd is the old name of command", "write command")
		v = old
	}
	return r.words(v)
}

func (r *reader) words(v *value) []string {
	if v.isNull() || v.kind == list {
		return r.texts(v)
	}
	words, err := shlex(r.text(v))
	if err != nil {
		r.problem(v, err.Error(), "close it, or write a list")
	}
	return words
}

var retriesForm = regexp.MustCompile(`^[0-9]{1,4}$`)

// restart is Docker's restart policy: name, name:retries or {name, retries}.
func (r *reader) restart(v *value) string {
	const hint = "write no, always, unless-stopped, on-failure or on-failure:3"
	var name, retries string
	switch {
	case v.isNull(), v.kind == boolean && !v.truth(): // no, as YAML 1.1 reads it
		return "no"
	case v.kind == text:
		name, retries, _ = strings.Cut(v.str, ":")
	case v.kind == dict:
		r.known(v, []string{"name", "retries", "maximum_retry_count"}, nil)
		name, retries = "no", ""
		if n := v.get("name"); !n.isNull() && (n.kind != boolean || n.truth()) {
			name = r.text(n)
		}
		for _, key := range []string{"maximum_retry_count", "retries"} {
			if n := v.get(key); !n.isNull() {
				retries = r.text(n)
			}
		}
	default:
		r.warn(v, fmt.Sprintf("MaestroNG takes %s for no", v.python()), hint)
		return "no"
	}
	if retries == "0" {
		retries = ""
	}
	switch {
	case !slices.Contains([]string{"no", "always", "unless-stopped", "on-failure"}, name), retries != "" && !retriesForm.MatchString(retries):
		r.problem(v, fmt.Sprintf("%s is not a restart policy", v.python()), hint)
		return "no"
	case retries == "":
		return name
	case name != "on-failure":
		r.problem(v, fmt.Sprintf("Docker counts no retries for %s", name), hint)
		return name
	}
	return name + ":" + retries
}

// host is one entry of extra_hosts: an address, or a ship's.
type host struct {
	address string
	ship    string
	at      *value
}

func (r *reader) extraHosts(v *value) map[string]host {
	out := map[string]host{}
	r.each(v, func(name string, _, w *value) {
		switch {
		case w.kind == dict && w.get("ship") != nil:
			out[name] = host{ship: r.text(w.get("ship")), at: w.get("ship")}
		case w.kind == text:
			out[name] = host{address: w.str, at: w}
		default:
			r.warn(w, fmt.Sprintf("MaestroNG leaves %s out, as %s is no address", name, w.python()), "write an address in quotes, or {ship: NAME}")
		}
	})
	return out
}

// imageForm is a reference as people write it: host:port/path:tag@digest, all
// but the path optional.
var imageForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
})

// pinnedImage reads a reference that names a digest; its tag is dropped.
func pinnedImage(ref string) (batuta.Image, bool) {
	name, digest, ok := strings.Cut(ref, "@")
	if !ok || batuta.CheckDigest(digest) != nil {
		return batuta.Image{}, false
	}
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name = name[:colon]
	}
	return batuta.Image{Repository: name, Digest: batuta.Digest(digest)}, true
}

func shipName(s string) batuta.ShipName { return batuta.ShipName(s) }
