package deployer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
	Unset       []string            `json:"unset,omitempty"`
	Files       map[string]string   `json:"files,omitempty"` // secrets that are files, by target
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
		switch {
		case v.Unset:
			f.Unset = append(f.Unset, v.Name)
		case v.Secret:
			f.Secrets[v.Name] = keyedHash(key, v.Name, v.Value)
		default:
			f.Env[v.Name] = v.Value
		}
	}
	for _, file := range i.Secrets {
		if f.Files == nil {
			f.Files = map[string]string{}
		}
		f.Files[file.Target] = keyedHash(key, file.Target, file.Value)
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
