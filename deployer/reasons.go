package deployer

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"batuta"
)

// change is one setting on both sides.
type change struct {
	what     string
	from, to any
}

// changes says what differs from f to g, for a person, in a fixed order. No
// variable's value is shown, and no secret's.
func (f fingerprint) changes(g fingerprint) []string {
	out := told(
		change{"service", f.Service, g.Service}, change{"ship", f.Ship, g.Ship},
	)
	if f.Image != g.Image || f.Reference != g.Reference {
		out = append(out, "image "+f.imageChange(g))
	}
	out = append(out, told(change{"command", commandText(f.Command), commandText(g.Command)}, change{"entrypoint", commandText(f.Entrypoint), commandText(g.Entrypoint)})...)
	out = append(out, mapChanges("env", f.environment(), g.environment())...)
	out = append(out, mapChanges("secret file", f.Files, g.Files)...)
	out = append(out, mapChanges("port", portTexts(f.Ports), portTexts(g.Ports))...)
	out = append(out, mapChanges("volume", volumeTexts(f.Volumes), volumeTexts(g.Volumes))...)
	out = append(out, told(change{"restart", f.Restart, g.Restart}, change{"stop_timeout", f.StopTimeout, g.StopTimeout})...)
	out = append(out, f.Settings.changes(g.Settings)...)
	if !reflect.DeepEqual(f.Checks, g.Checks) {
		out = append(out, "checks changed")
	}
	if !reflect.DeepEqual(f.Lifecycle, g.Lifecycle) {
		out = append(out, "lifecycle changed")
	}
	return append(out, told(change{"container name", f.Called, g.Called})...)
}

// changes says what differs from s to t.
func (s Settings) changes(t Settings) []string {
	if reflect.DeepEqual(s, t) {
		return nil
	}
	out := told(
		change{"hostname", s.Hostname, t.Hostname}, change{"user", s.User, t.User}, change{"workdir", s.Workdir, t.Workdir},
		change{"stop_signal", s.StopSignal, t.StopSignal}, change{"platform", s.Platform, t.Platform},
		change{"net", s.NetworkMode, t.NetworkMode}, change{"aliases", s.Aliases, t.Aliases}, change{"dns", s.DNS, t.DNS},
		change{"extra_hosts", s.ExtraHosts, t.ExtraHosts},
		change{"privileged", s.Privileged, t.Privileged}, change{"cap_add", s.CapAdd, t.CapAdd}, change{"cap_drop", s.CapDrop, t.CapDrop},
		change{"security_opt", s.SecurityOpt, t.SecurityOpt}, change{"devices", s.Devices, t.Devices},
		change{"limit memory", sizeText(s.Limits.Memory), sizeText(t.Limits.Memory)}, change{"limit swap", sizeText(s.Limits.Swap), sizeText(t.Limits.Swap)},
		change{"limit cpus", s.Limits.CPUs, t.Limits.CPUs}, change{"limit cpu_shares", s.Limits.CPUShares, t.Limits.CPUShares}, change{"limit pids", s.Limits.PIDs, t.Limits.PIDs},
		change{"shm_size", sizeText(s.ShmSize), sizeText(t.ShmSize)}, change{"log_driver", s.LogDriver, t.LogDriver},
		change{"read_only", s.ReadOnly, t.ReadOnly}, change{"init", s.Init, t.Init},
		change{"container_volumes", s.AnonymousVolumes, t.AnonymousVolumes}, change{"volumes_from", names(s.VolumesFrom), names(t.VolumesFrom)},
	)
	out = append(out, mapChanges("label", s.Labels, t.Labels)...)
	out = append(out, mapChanges("log_opt", s.LogOptions, t.LogOptions)...)
	out = append(out, mapChanges("tmpfs", s.Tmpfs, t.Tmpfs)...)
	out = append(out, mapChanges("sysctl", s.Sysctls, t.Sysctls)...)
	out = append(out, mapChanges("ulimit", keyed(s.Ulimits, Ulimit.keyed), keyed(t.Ulimits, Ulimit.keyed))...)
	out = append(out, mapChanges("network", keyed(s.Networks, Attachment.keyed), keyed(t.Networks, Attachment.keyed))...)
	out = append(out, mapChanges("link", keyed(s.Links, Link.keyed), keyed(t.Links, Link.keyed))...)
	out = append(out, mapChanges("secret", keyed(s.Secrets, SecretFile.keyed), keyed(t.Secrets, SecretFile.keyed))...)
	if !reflect.DeepEqual(s.Healthcheck, t.Healthcheck) {
		out = append(out, "healthcheck changed")
	}
	return out
}

// told gives a line for each setting that differs: limit memory 256m → 512m.
func told(settings ...change) []string {
	var out []string
	for _, c := range settings {
		if from, to := valueText(c.from), valueText(c.to); from != to {
			out = append(out, fmt.Sprintf("%s %s → %s", c.what, from, to))
		}
	}
	return out
}

// valueText is a setting as a person writes it.
func valueText(v any) string {
	switch v := v.(type) {
	case []string:
		return cmp.Or(strings.Join(v, ", "), "none")
	case float64:
		return valueText(strconv.FormatFloat(v, 'g', -1, 64))
	case int64:
		return valueText(strconv.FormatInt(v, 10))
	}
	if s := fmt.Sprint(v); s != "" && s != "0" {
		return s
	}
	return "none"
}

func (u Ulimit) keyed() (key, value string) { return u.Name, fmt.Sprint(u.Soft, ":", u.Hard) }

func (a Attachment) keyed() (key, value string) { return a.Network, strings.Join(a.Aliases, ",") }

func (l Link) keyed() (key, value string) { return string(l.Instance), l.Alias }

func (f SecretFile) keyed() (key, value string) {
	return f.Secret, fmt.Sprint(f.Target, " ", f.Mode, " ", f.UID, ":", f.GID)
}

// keyed makes a mapping of a list.
func keyed[T any](list []T, of func(T) (key, value string)) map[string]string {
	out := map[string]string{}
	for _, x := range list {
		key, value := of(x)
		out[key] = value
	}
	return out
}

// environment are all variables; those of the image that are taken away have a
// value that no other has.
func (f fingerprint) environment() map[string]string {
	out := merged(f.Env, f.Secrets)
	for _, name := range f.Unset {
		out[name] = "\x00"
	}
	return out
}

func (f fingerprint) imageChange(g fingerprint) string {
	if f.Reference != "" || g.Reference != "" {
		return cmp.Or(f.Reference, f.Image.String()) + " → " + cmp.Or(g.Reference, g.Image.String())
	}
	return imageChange(f.Image, g.Image)
}

func imageChange(from, to batuta.Image) string {
	if from.Repository == to.Repository {
		return from.Digest.Short() + " → " + to.Digest.Short()
	}
	return fmt.Sprintf("%s@%s → %s@%s", from.Repository, from.Digest.Short(), to.Repository, to.Digest.Short())
}

func commandText(c []string) string {
	if len(c) == 0 {
		return "(the image's own)"
	}
	return strings.Join(c, " ")
}

// mapChanges names the keys that were added, removed or changed, sorted; never
// their values.
func mapChanges(what string, from, to map[string]string) []string {
	if maps.Equal(from, to) {
		return nil
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(merged(from, to))) {
		old, had := from[key]
		now, has := to[key]
		switch {
		case !had:
			out = append(out, fmt.Sprintf("%s %s added", what, key))
		case !has:
			out = append(out, fmt.Sprintf("%s %s removed", what, key))
		case old != now:
			out = append(out, fmt.Sprintf("%s %s changed", what, key))
		}
	}
	return out
}

func merged(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, b)
	return out
}

func portTexts(ports []Port) map[string]string {
	out := map[string]string{}
	for _, p := range ports {
		out[p.Name] = p.String()
	}
	return out
}

func volumeTexts(volumes []Volume) map[string]string {
	out := map[string]string{}
	for _, v := range volumes {
		out[v.Target] = v.String()
	}
	return out
}
