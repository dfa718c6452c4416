package deployer

import (
	"io/fs"
	"time"

	"batuta"
)

// Settings are what a container has beside its image, command, variables,
// ports and volumes. What is zero is left to Docker.
type Settings struct {
	Entrypoint       []string              `json:"entrypoint,omitempty"`
	Hostname         string                `json:"hostname,omitempty"` // empty: the instance's name, unless NetworkMode is set
	User             string                `json:"user,omitempty"`
	Workdir          string                `json:"workdir,omitempty"`
	StopSignal       string                `json:"stop_signal,omitempty"`
	Platform         string                `json:"platform,omitempty"`    // linux/arm64
	Labels           map[string]string     `json:"labels,omitempty"`      // beside Batuta's own
	NetworkMode      string                `json:"net,omitempty"`         // host, none, bridge or container:INSTANCE; empty: the environment's own network
	Aliases          []string              `json:"aliases,omitempty"`     // in the environment's network, beside the service's and the instance's name; sorted
	Networks         []Attachment          `json:"networks,omitempty"`    // that exist on the ship already, beside the environment's; sorted by name
	Links            []Link                `json:"links,omitempty"`       // sorted by instance
	ExtraHosts       []string              `json:"extra_hosts,omitempty"` // name:address, sorted
	DNS              []string              `json:"dns,omitempty"`
	Privileged       bool                  `json:"privileged,omitempty"`
	CapAdd           []string              `json:"cap_add,omitempty"`
	CapDrop          []string              `json:"cap_drop,omitempty"`
	SecurityOpt      []string              `json:"security_opt,omitempty"`
	Limits           Limits                `json:"limits,omitzero"`
	Ulimits          []Ulimit              `json:"ulimits,omitempty"` // sorted by name
	LogDriver        string                `json:"log_driver,omitempty"`
	LogOptions       map[string]string     `json:"log_opt,omitempty"`
	Devices          []string              `json:"devices,omitempty"` // host:container:permissions, as docker run --device
	Tmpfs            map[string]string     `json:"tmpfs,omitempty"`   // path to options: size=64m
	ReadOnly         bool                  `json:"read_only,omitempty"`
	Init             bool                  `json:"init,omitempty"`
	ShmSize          int64                 `json:"shm_size,omitempty"` // bytes
	Sysctls          map[string]string     `json:"sysctls,omitempty"`
	Healthcheck      *Healthcheck          `json:"healthcheck,omitempty"` // nil: the image's own
	AnonymousVolumes []string              `json:"container_volumes,omitempty"`
	VolumesFrom      []batuta.InstanceName `json:"volumes_from,omitempty"`
	Secrets          []SecretFile          `json:"secret_files,omitempty"` // sorted by target
}

// Attachment joins a container to a network of the ship.
type Attachment struct {
	Network string   `json:"network"`
	Aliases []string `json:"aliases,omitempty"`
}

// Link is a link of Docker's old kind: another instance of the environment on
// the same ship, under another name.
type Link struct {
	Instance batuta.InstanceName `json:"instance"`
	Alias    string              `json:"alias"`
}

// Limits bound what a container may use. Zero does not.
type Limits struct {
	CPUShares int64   `json:"cpu_shares,omitempty"` // relative weight; Docker's default is 1024
	CPUs      float64 `json:"cpus,omitempty"`       // cores
	Memory    int64   `json:"memory,omitempty"`     // bytes
	Swap      int64   `json:"swap,omitempty"`       // bytes of memory and swap together, as Docker's MemorySwap; -1: no bound
	PIDs      int64   `json:"pids,omitempty"`
}

// Ulimit bounds what a process may use.
type Ulimit struct {
	Name string `json:"name"`
	Soft int64  `json:"soft"`
	Hard int64  `json:"hard"`
}

// Healthcheck is Docker's own, which runs as long as the container does. It
// does not decide whether an instance is ready, unless a check of type health
// asks for it.
type Healthcheck struct {
	Test        []string      `json:"test"` // as the Engine takes it: [CMD, …], [CMD-SHELL, LINE] or [NONE]
	Interval    time.Duration `json:"interval,omitempty"`
	Timeout     time.Duration `json:"timeout,omitempty"`
	StartPeriod time.Duration `json:"start_period,omitempty"`
	Retries     int           `json:"retries,omitempty"`
}

// SecretFile is a secret that a container finds as a file. Its value is never
// printed, marshalled or put into a label.
type SecretFile struct {
	Secret string      `json:"secret"` // the secret's name
	Target string      `json:"target"` // absolute; below /run/secrets unless the document says otherwise
	Mode   fs.FileMode `json:"mode"`
	UID    int         `json:"uid,omitempty"`
	GID    int         `json:"gid,omitempty"`
	Value  string      `json:"-"`
}

// Lifecycle is what has to pass around the start and the stop of a container,
// beside its checks of readiness.
type Lifecycle struct {
	PreStart []Check `json:"pre_start,omitempty"` // before it is created
	PreStop  []Check `json:"pre_stop,omitempty"`  // before it is told to stop
	Stopped  []Check `json:"stopped,omitempty"`   // after it has stopped
}
