package deployer

import (
	"maps"
	"slices"
	"time"
)

// traits are what a service says of all its instances, and what an instance
// says of itself.
type traits struct {
	Image       string            `yaml:"image"`
	Command     command           `yaml:"command"`
	Entrypoint  command           `yaml:"entrypoint"`
	Ports       map[string]port   `yaml:"ports"`
	Env         map[string]text   `yaml:"env"`
	Secrets     secretFiles       `yaml:"secrets"`
	Volumes     map[string]volume `yaml:"volumes"`
	Lifecycle   lifecycle         `yaml:"lifecycle"`
	Restart     string            `yaml:"restart"`
	StopTimeout *time.Duration    `yaml:"stop_timeout"`
	StopFirst   *bool             `yaml:"stop_first"`

	Hostname         string            `yaml:"hostname"`
	User             string            `yaml:"user"`
	Workdir          string            `yaml:"workdir"`
	StopSignal       string            `yaml:"stop_signal"`
	Platform         string            `yaml:"platform"`
	Labels           map[string]text   `yaml:"labels"`
	Net              string            `yaml:"net"`
	Aliases          oneOrMore         `yaml:"aliases"`
	Networks         networks          `yaml:"networks"`
	ExtraHosts       map[string]host   `yaml:"extra_hosts"`
	DNS              oneOrMore         `yaml:"dns"`
	Privileged       *bool             `yaml:"privileged"`
	CapAdd           oneOrMore         `yaml:"cap_add"`
	CapDrop          oneOrMore         `yaml:"cap_drop"`
	SecurityOpt      oneOrMore         `yaml:"security_opt"`
	Limits           limits            `yaml:"limits"`
	Ulimits          map[string]ulimit `yaml:"ulimits"`
	LogDriver        string            `yaml:"log_driver"`
	LogOptions       map[string]text   `yaml:"log_opt"`
	Devices          oneOrMore         `yaml:"devices"`
	Tmpfs            tmpfs             `yaml:"tmpfs"`
	ReadOnly         *bool             `yaml:"read_only"`
	Init             *bool             `yaml:"init"`
	ShmSize          size              `yaml:"shm_size"`
	Sysctls          map[string]text   `yaml:"sysctls"`
	Healthcheck      *healthcheck      `yaml:"healthcheck"`
	AnonymousVolumes oneOrMore         `yaml:"container_volumes"`
	VolumesFrom      oneOrMore         `yaml:"volumes_from"`
	Links            map[string]text   `yaml:"links"` // instances to the names they have here
}

// under gives what the instance has with its own traits over the service's:
// maps are merged by key, lists of checks are added, the rest is replaced.
func (t traits) under(own traits) traits {
	out := traits{
		Image: either(own.Image, t.Image), Restart: either(own.Restart, t.Restart),
		Command: list(own.Command, t.Command), Entrypoint: list(own.Entrypoint, t.Entrypoint),
		StopTimeout: either(own.StopTimeout, t.StopTimeout), StopFirst: either(own.StopFirst, t.StopFirst),
		Ports: over(t.Ports, own.Ports), Env: over(t.Env, own.Env), Volumes: over(t.Volumes, own.Volumes),
		Secrets: over(t.Secrets, own.Secrets), Lifecycle: t.Lifecycle.and(own.Lifecycle),

		Hostname: either(own.Hostname, t.Hostname), User: either(own.User, t.User), Workdir: either(own.Workdir, t.Workdir),
		StopSignal: either(own.StopSignal, t.StopSignal), Platform: either(own.Platform, t.Platform),
		Labels: over(t.Labels, own.Labels), Net: either(own.Net, t.Net), Aliases: list(own.Aliases, t.Aliases),
		Networks: over(t.Networks, own.Networks), ExtraHosts: over(t.ExtraHosts, own.ExtraHosts), DNS: list(own.DNS, t.DNS),
	}
	out.guard(t, own)
	return out
}

// guard does the same for what bounds, shields or frees the container.
func (t *traits) guard(service, own traits) {
	t.Privileged = either(own.Privileged, service.Privileged)
	t.CapAdd, t.CapDrop = list(own.CapAdd, service.CapAdd), list(own.CapDrop, service.CapDrop)
	t.SecurityOpt = list(own.SecurityOpt, service.SecurityOpt)
	t.Limits, t.Ulimits = service.Limits.under(own.Limits), over(service.Ulimits, own.Ulimits)
	t.LogDriver, t.LogOptions = either(own.LogDriver, service.LogDriver), over(service.LogOptions, own.LogOptions)
	t.Devices, t.Tmpfs = list(own.Devices, service.Devices), over(service.Tmpfs, own.Tmpfs)
	t.ReadOnly, t.Init = either(own.ReadOnly, service.ReadOnly), either(own.Init, service.Init)
	t.ShmSize, t.Sysctls = either(own.ShmSize, service.ShmSize), over(service.Sysctls, own.Sysctls)
	t.Healthcheck = either(own.Healthcheck, service.Healthcheck)
	t.AnonymousVolumes = list(own.AnonymousVolumes, service.AnonymousVolumes)
	t.VolumesFrom, t.Links = list(own.VolumesFrom, service.VolumesFrom), over(service.Links, own.Links)
}

// either is the instance's own if it has one, or else the service's.
func either[T comparable](own, service T) T {
	var none T
	if own != none {
		return own
	}
	return service
}

// list is either for lists; one that is empty takes the service's away.
func list[L ~[]E, E any](own, service L) L {
	if own != nil {
		return slices.Clone(own)
	}
	return slices.Clone(service)
}

// over is the service's map with the instance's on top.
func over[M ~map[string]V, V any](service, own M) M {
	out := M{}
	maps.Copy(out, service)
	maps.Copy(out, own)
	return out
}

// lifecycle are the checks by the state that they are made in.
type lifecycle struct {
	PreStart []check `yaml:"pre-start"` // before it is created
	Running  []check `yaml:"running"`   // before it counts as ready
	PreStop  []check `yaml:"pre-stop"`  // before it is told to stop
	Stopped  []check `yaml:"stopped"`   // after it has stopped
}

func (l lifecycle) and(own lifecycle) lifecycle {
	return lifecycle{
		PreStart: slices.Concat(l.PreStart, own.PreStart), Running: slices.Concat(l.Running, own.Running),
		PreStop: slices.Concat(l.PreStop, own.PreStop), Stopped: slices.Concat(l.Stopped, own.Stopped),
	}
}

// states gives the checks by the name of their state.
func (l lifecycle) states() map[string][]check {
	return map[string][]check{"pre-start": l.PreStart, "running": l.Running, "pre-stop": l.PreStop, "stopped": l.Stopped}
}
