package docker

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"batuta"
	"batuta/deployer"
)

// body is what POST /containers/create takes: the keys that an instance can
// set, in the Engine's words (API 1.41). It is sent as it is marshalled. What
// is zero is left out, and so to Docker.
type body struct {
	Hostname         string                  `json:",omitempty"`
	User             string                  `json:",omitempty"`
	ExposedPorts     nat.PortSet             `json:",omitempty"`
	Env              []string                `json:",omitempty"`
	Cmd              []string                `json:",omitempty"`
	Entrypoint       []string                `json:",omitempty"`
	Healthcheck      *container.HealthConfig `json:",omitempty"`
	Image            string                  `json:",omitempty"`
	Volumes          map[string]struct{}     `json:",omitempty"`
	WorkingDir       string                  `json:",omitempty"`
	Labels           map[string]string       `json:",omitempty"`
	StopSignal       string                  `json:",omitempty"`
	StopTimeout      int                     // seconds; 0 is SIGKILL at once
	HostConfig       hostConfig
	NetworkingConfig networking `json:",omitzero"`
}

type hostConfig struct {
	NetworkMode    string                  `json:",omitempty"`
	Binds          []string                `json:",omitempty"`
	VolumesFrom    []string                `json:",omitempty"`
	Tmpfs          map[string]string       `json:",omitempty"`
	PortBindings   nat.PortMap             `json:",omitempty"`
	Links          []string                `json:",omitempty"`
	ExtraHosts     []string                `json:",omitempty"`
	DNS            []string                `json:"Dns,omitempty"`
	RestartPolicy  container.RestartPolicy `json:",omitzero"`
	LogConfig      container.LogConfig     `json:",omitzero"`
	Privileged     bool                    `json:",omitempty"`
	CapAdd         []string                `json:",omitempty"`
	CapDrop        []string                `json:",omitempty"`
	SecurityOpt    []string                `json:",omitempty"`
	ReadonlyRootfs bool                    `json:",omitempty"`
	Init           bool                    `json:",omitempty"`
	ShmSize        int64                   `json:",omitempty"` // bytes
	Sysctls        map[string]string       `json:",omitempty"`
	resources
}

type resources struct {
	CPUShares  int64                     `json:"CpuShares,omitempty"`
	NanoCPUs   int64                     `json:"NanoCpus,omitempty"`
	Memory     int64                     `json:",omitempty"` // bytes
	MemorySwap int64                     `json:",omitempty"`
	PIDsLimit  int64                     `json:"PidsLimit,omitempty"`
	Ulimits    []*container.Ulimit       `json:",omitempty"`
	Devices    []container.DeviceMapping `json:",omitempty"`
}

type networking struct {
	EndpointsConfig map[string]endpoint `json:",omitempty"`
}

// endpoint is a container's place in a network.
type endpoint struct {
	Aliases []string `json:",omitempty"`
	Links   []string `json:",omitempty"`
}

// hidden stands for a secret where a person can read it.
const hidden = "[secret]"

// CreateBody is the body of the POST /containers/create that Create sends for
// the instance, as JSON, for a person or a test to read: the variables are
// sorted, the environment's network has its name instead of its id, other
// instances theirs, and a value with a secret in it is [secret]. The networks
// of Settings.Networks are joined after that. Equal instances give equal
// bytes. The error is Invalid: what Create would refuse without asking the
// ship.
func CreateBody(s deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) (json.RawMessage, error) {
	i.Env = slices.Clone(i.Env)
	for n, v := range i.Env {
		if v.Secret && !v.Unset {
			i.Env[n].Value = hidden
		}
	}
	b, err := newBlueprint(s, r, i)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(b.body.Env, strings.Compare)
	if i.NetworkMode == "" {
		b.join(networkNames(s)[0], i)
	}
	return json.Marshal(b.body)
}
