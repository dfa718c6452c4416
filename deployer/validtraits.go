package deployer

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"batuta"
	"batuta/internal/document"
)

var (
	restartForm  = regexp.MustCompile(`^(no|always|unless-stopped|on-failure(:[1-9][0-9]{0,3})?)$`)
	portNameForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	hostNameForm = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$`)
	netForm      = regexp.MustCompile(`^(host|none|bridge|container:[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62})$`)
	deviceForm   = regexp.MustCompile(`^/[^:]+(:/[^:]+)?(:[rwm]{1,3})?$`)
	platformForm = regexp.MustCompile(`^[a-z0-9]+(/[a-z0-9]+){0,2}$`)
)

// form is what one key with a syntax of its own must look like.
type form struct {
	key, value string
	like       *regexp.Regexp
	what, hint string
}

// traits checks what services and instances have in common.
func (v validator) traits(at document.Path, t traits) {
	v.entries(at, t)
	v.states(at, t.Lifecycle)
	if t.StopTimeout != nil && *t.StopTimeout > maxStopTimeout {
		v.Problem(at.At("stop_timeout"), fmt.Sprintf("%s is too long", *t.StopTimeout), fmt.Sprintf("at most %s", maxStopTimeout))
	}
	forms := []form{
		{"restart", t.Restart, restartForm, "a restart policy", "write no, always, unless-stopped, on-failure or on-failure:3"},
		{"hostname", t.Hostname, hostNameForm, "a host name", ""},
		{"net", t.Net, netForm, "a network mode", "write host, none, bridge or container:INSTANCE; a network of the ship stands under networks:"},
		{"platform", t.Platform, platformForm, "a platform", "write linux/amd64 or linux/arm64"},
	}
	for i, d := range t.Devices {
		forms = append(forms, form{"devices." + fmt.Sprint(i), d, deviceForm, "a device", "write /dev/fuse, or /dev/sda:/dev/xvda:rwm"})
	}
	for _, f := range forms {
		if f.value != "" && !f.like.MatchString(f.value) {
			v.Problem(at.At(strings.Split(f.key, ".")...), fmt.Sprintf("%q is not %s", f.value, f.what), f.hint)
		}
	}
	if t.Workdir != "" && !path.IsAbs(t.Workdir) {
		v.Problem(at.At("workdir"), fmt.Sprintf("%q is not absolute", t.Workdir), "begin it with /")
	}
	v.networks(at, t)
	v.engine(at, t)
}

// entries checks the maps by their keys.
func (v validator) entries(at document.Path, t traits) {
	for name, p := range t.Ports {
		if p.path == nil || !portNameForm.MatchString(name) {
			v.Problem(at.At("ports", name), "want a port's name and number", "write http: 8080")
		}
	}
	for name := range t.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			v.Problem(at.At("env", name), fmt.Sprintf("%q is not a variable's name", name), "")
		}
	}
	for source, vol := range t.Volumes {
		if vol.path == nil {
			v.Problem(at.At("volumes", source), "the volume has no target", "write /host/path: /container/path")
		}
		if err := checkSource(source); err != nil {
			v.error(at.At("volumes", source), err)
		}
	}
	for name := range t.Labels {
		if strings.HasPrefix(name, labelPrefix) {
			v.Problem(at.At("labels", name), fmt.Sprintf("the label %s is Batuta's own", name), "labels that begin with "+labelPrefix+" tell whose a container is; choose another name")
		}
	}
	for key, texts := range map[string]map[string]text{"labels": t.Labels, "log_opt": t.LogOptions, "sysctls": t.Sysctls} {
		for name, value := range texts {
			if strings.Contains(value.value, secretMark) {
				v.Problem(at.At(key, name), "a secret cannot stand here: it would be shown", "secrets are for env: and secrets:")
			}
		}
	}
}

// states checks that each check can be made in its state.
func (v validator) states(at document.Path, l lifecycle) {
	states := l.states()
	for _, state := range slices.Sorted(maps.Keys(states)) {
		for i, c := range states[state] {
			path := at.At("lifecycle", state, fmt.Sprint(i))
			if c.path == nil {
				v.Problem(path, "the check is empty", "write {type: http, port: http, path: /up}")
			} else if why := c.unfit(state); why != "" {
				v.Problem(path, why, "use sleep, local, or outside: with a host")
			}
		}
	}
}

// networks checks the names of networks and hosts.
func (v validator) networks(at document.Path, t traits) {
	for name := range t.Networks {
		if err := batuta.CheckName(name); err != nil {
			v.error(at.At("networks", name), err)
		}
	}
	for name, h := range t.ExtraHosts {
		if h.path == nil || !hostNameForm.MatchString(name) {
			v.Problem(at.At("extra_hosts", name), "want a host's name and address", "write db.internal: 10.0.0.7")
		}
	}
}
