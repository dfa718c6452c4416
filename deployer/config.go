package deployer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"batuta"
)

// fingerprint is an instance as its label keeps it: all that makes its
// container what it is, with each secret as a hash that only the server can
// make. Its JSON is canonical: equal instances, equal bytes.
type fingerprint struct {
	Name        batuta.InstanceName `json:"name"`
	Service     batuta.ServiceName  `json:"service"`
	Ship        batuta.ShipName     `json:"ship"`
	Image       batuta.Image        `json:"image"`
	Command     []string            `json:"command,omitempty"`
	Env         map[string]string   `json:"env,omitempty"`
	Secrets     map[string]string   `json:"secrets,omitempty"`
	Ports       []Port              `json:"ports,omitempty"`
	Volumes     []Volume            `json:"volumes,omitempty"`
	Restart     string              `json:"restart"`
	StopTimeout time.Duration       `json:"stop_timeout"`
	Checks      []Check             `json:"checks,omitempty"`
	Reference   string              `json:"reference,omitempty"`
	Called      string              `json:"called,omitempty"`
	Lifecycle   Lifecycle           `json:"lifecycle,omitzero"`
	Settings
}

// seal sets the instance's Spec and Config.
func (i *Instance) seal(key []byte) {
	f := fingerprint{
		Name: i.Name, Service: i.Service, Ship: i.Ship, Image: i.Image, Command: i.Command,
		Env: map[string]string{}, Secrets: map[string]string{},
		Ports: i.Ports, Volumes: i.Volumes, Restart: i.Restart, StopTimeout: i.StopTimeout, Checks: i.Checks,
		Reference: i.Reference, Called: i.Called, Lifecycle: i.Lifecycle, Settings: i.Settings,
	}
	for _, v := range i.Env {
		if v.Secret {
			f.Secrets[v.Name] = keyedHash(key, v.Name, v.Value)
		} else {
			f.Env[v.Name] = v.Value
		}
	}
	spec, err := json.Marshal(f)
	if err != nil {
		panic(err) // nothing in a fingerprint can fail to marshal
	}
	sum := sha256.Sum256(spec)
	i.Spec, i.Config = string(spec), hex.EncodeToString(sum[:])
}

func keyedHash(key []byte, name, value string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(name + "\x00" + value))
	return hex.EncodeToString(h.Sum(nil))
}

// recall reads the fingerprint of a container that runs or ran.
func recall(c Container) (fingerprint, bool) {
	var f fingerprint
	err := json.Unmarshal([]byte(c.Spec), &f)
	return f, err == nil && f.Name != ""
}

// changes says what differs from f to g, for a person, in a fixed order.
func (f fingerprint) changes(g fingerprint) []string {
	var out []string
	say := func(differs bool, format string, args ...any) {
		if differs {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	say(f.Service != g.Service, "service %s → %s", f.Service, g.Service)
	say(f.Ship != g.Ship, "ship %s → %s", f.Ship, g.Ship)
	say(f.Image != g.Image, "image %s", imageChange(f.Image, g.Image))
	say(!slices.Equal(f.Command, g.Command), "command %s → %s", commandText(f.Command), commandText(g.Command))
	out = append(out, mapChanges("env", merged(f.Env, f.Secrets), merged(g.Env, g.Secrets))...)
	out = append(out, mapChanges("port", portTexts(f.Ports), portTexts(g.Ports))...)
	out = append(out, mapChanges("volume", volumeTexts(f.Volumes), volumeTexts(g.Volumes))...)
	say(f.Restart != g.Restart, "restart %s → %s", f.Restart, g.Restart)
	say(f.StopTimeout != g.StopTimeout, "stop_timeout %s → %s", f.StopTimeout, g.StopTimeout)
	say(!reflect.DeepEqual(f.Checks, g.Checks), "checks changed")
	return out
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
