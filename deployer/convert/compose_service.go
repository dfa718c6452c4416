package convert

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// environment converts variables and secrets.
func (c *composer) environment(place string, out *service, s types.ServiceConfig) {
	for _, name := range sortedKeys(s.Environment) {
		if out.Env == nil {
			out.Env = map[string]*string{}
		}
		value := s.Environment[name]
		if value == nil {
			c.say(place+".environment."+name, "is taken from who runs Compose; write its value, or remove it")
			continue
		}
		out.Env[name] = new(escape(*value))
	}
	for _, ref := range s.Secrets {
		if out.Secrets == nil {
			out.Secrets = map[string]secret{}
		}
		target := cmp.Or(ref.Target, ref.Source)
		if !strings.HasPrefix(target, "/") {
			target = "/run/secrets/" + target
		}
		kept := secret{Target: target, UID: ref.UID, GID: ref.GID}
		if ref.Mode != nil {
			kept.Mode = fmt.Sprintf("%04o", int64(*ref.Mode))
		}
		out.Secrets[plainName(ref.Source)] = kept
	}
}

// storage converts volumes and what is in memory.
func (c *composer) storage(place string, out *service, s types.ServiceConfig) {
	for n, v := range s.Volumes {
		at := fmt.Sprintf("%s.volumes.%d", place, n)
		switch {
		case v.Type == types.VolumeTypeTmpfs:
			out.inMemory(v.Target, memoryOptions(v.Tmpfs))
		case v.Type == types.VolumeTypeVolume && v.Source == "":
			out.ContainerVolumes = append(out.ContainerVolumes, v.Target)
		case v.Type == types.VolumeTypeBind, v.Type == types.VolumeTypeVolume:
			c.mount(at, out, v)
		default:
			c.say(at, "a mount of type %s is not carried over", v.Type)
		}
	}
	for _, t := range s.Tmpfs {
		path, options, _ := strings.Cut(t, ":")
		out.inMemory(path, options)
	}
}

func (c *composer) mount(at string, out *service, v types.ServiceVolumeConfig) {
	if out.Volumes == nil {
		out.Volumes = map[string]any{}
	}
	source := v.Source
	if v.Type == types.VolumeTypeVolume {
		source = plainName(source)
	}
	if _, twice := out.Volumes[source]; twice {
		c.say(at, "%s is mounted a second time, at %s; a document mounts it once", v.Source, v.Target)
		return
	}
	out.Volumes[source] = v.Target
	if v.ReadOnly {
		out.Volumes[source] = map[string]string{"target": v.Target, "mode": "ro"}
	}
	if v.Type == types.VolumeTypeBind && !strings.HasPrefix(v.Source, "/var/run/") {
		c.say(at, "%s is a directory of each ship that runs the service, not of your checkout", v.Source)
	}
}

func (s *service) inMemory(path, options string) {
	if s.Tmpfs == nil {
		s.Tmpfs = map[string]string{}
	}
	s.Tmpfs[path] = options
}

// network converts how the service is found and what it finds.
func (c *composer) network(place string, out *service, s types.ServiceConfig) {
	switch {
	case strings.HasPrefix(s.NetworkMode, "service:"):
		out.Net = "container:" + c.first(strings.TrimPrefix(s.NetworkMode, "service:"))
		c.say(place+".network_mode", "became net: %s; both have to stand on one ship, and to be one instance each", out.Net)
	case s.NetworkMode != "" && s.NetworkMode != "default":
		out.Net = s.NetworkMode
	}
	for _, name := range sortedKeys(s.Networks) {
		var aliases []string
		if n := s.Networks[name]; n != nil {
			aliases = n.Aliases
			if n.Ipv4Address+n.Ipv6Address+n.MacAddress != "" {
				c.say(place+".networks."+name, "a fixed address is not carried over; services find each other by name")
			}
		}
		if !bool(c.project.Networks[name].External) {
			out.Aliases = append(out.Aliases, aliases...)
			continue
		}
		if out.Networks == nil {
			out.Networks = map[string]map[string]any{}
		}
		joined := map[string]any{}
		if len(aliases) > 0 {
			joined["aliases"] = aliases
		}
		out.Networks[cmp.Or(c.project.Networks[name].Name, name)] = joined
	}
	slices.Sort(out.Aliases)
	out.Aliases = slices.Compact(out.Aliases)
	for _, host := range sortedKeys(s.ExtraHosts) {
		if out.ExtraHosts == nil {
			out.ExtraHosts = map[string]any{}
		}
		out.ExtraHosts[host] = s.ExtraHosts[host][0]
		if len(s.ExtraHosts[host]) > 1 {
			c.say(place+".extra_hosts."+host, "only its first address is carried over")
		}
	}
}

// ports converts what is published, in Batuta's order: container:host.
func (c *composer) ports(place string, out *service, ports []types.ServicePortConfig) {
	for n, p := range ports {
		if out.Ports == nil {
			out.Ports = map[string]any{}
		}
		name := portName(p)
		if _, taken := out.Ports[name]; taken {
			name = fmt.Sprintf("%s-%d", name, n)
		}
		out.Ports[name] = c.port(fmt.Sprintf("%s.ports.%d", place, n), p)
	}
}

func portName(p types.ServicePortConfig) string {
	switch {
	case p.Name != "":
		return plainName(p.Name)
	case p.Protocol == "udp":
		return fmt.Sprintf("udp-%d", p.Target)
	case slices.Contains([]uint32{80, 3000, 5000, 8000, 8080}, p.Target):
		return "http"
	case p.Target == 443 || p.Target == 8443:
		return "https"
	}
	return fmt.Sprintf("tcp-%d", p.Target)
}

func (c *composer) port(at string, p types.ServicePortConfig) any {
	container := strconv.Itoa(int(p.Target))
	var open any = int(p.Target)
	if p.Protocol == "udp" {
		container += "/udp"
		open = container
	} else if p.Protocol != "tcp" && p.Protocol != "" {
		c.say(at, "only tcp and udp can be published: %s became tcp", p.Protocol)
	}
	switch {
	case p.Published == "" && p.HostIP != "" && p.HostIP != "0.0.0.0":
		c.say(at, "was to be open on %s alone, at a port that Docker picks, and is open on all addresses now; write {exposed: %s, external: PORT, address: %s}", p.HostIP, container, p.HostIP)
		return open
	case p.Published == "":
		return open
	case p.HostIP != "" && p.HostIP != "0.0.0.0":
		return map[string]string{"exposed": container, "external": p.Published, "address": p.HostIP}
	case strings.Contains(p.Published, "-"):
		c.say(at, "one of the host's ports %s was to be picked; Docker picks any free one now", p.Published)
		return open
	case p.Protocol == "udp":
		return container + ":" + p.Published + "/udp"
	}
	return container + ":" + p.Published
}

// life converts what starts the service, keeps it and ends it.
func (c *composer) life(place string, out *service, s types.ServiceConfig) {
	out.Restart = restartOf(s)
	if s.StopGracePeriod != nil {
		out.StopTimeout = c.bounded(place+".stop_grace_period", time.Duration(*s.StopGracePeriod))
	}
	for _, on := range sortedKeys(s.DependsOn) {
		if _, there := c.names[on]; !there {
			c.say(place+".depends_on."+on, "is not there, and is not carried over")
			continue
		}
		out.Requires = append(out.Requires, c.names[on])
		if d := s.DependsOn[on]; !d.Required {
			c.say(place+".depends_on."+on, "was not required; here it is: remove it from requires if the service can do without")
		}
		if d := s.DependsOn[on]; d.Condition == types.ServiceConditionCompletedSuccessfully {
			c.say(place+".depends_on."+on, "it was to run to its end first; write it as hooks: {before: [{run: …}]} of this service instead")
		}
	}
	h := s.HealthCheck
	if h == nil {
		return
	}
	if h.Disable || slices.Equal(h.Test, types.HealthCheckTest{"NONE"}) {
		out.Healthcheck = &healthcheck{Disable: true}
		return
	}
	out.Healthcheck = &healthcheck{
		Test: h.Test, Interval: durationText(h.Interval), Timeout: durationText(h.Timeout), StartPeriod: durationText(h.StartPeriod),
	}
	if h.Retries != nil {
		out.Healthcheck.Retries = int(min(*h.Retries, math.MaxInt32))
	}
	out.Lifecycle = map[string][]check{"running": {{"type": "health"}}}
}

func durationText(d *types.Duration) string {
	if d == nil {
		return ""
	}
	return time.Duration(*d).String()
}

// restartOf is Docker's policy. Compose's own default is not to restart.
func restartOf(s types.ServiceConfig) string {
	if s.Deploy == nil || s.Deploy.RestartPolicy == nil {
		return cmp.Or(s.Restart, "no")
	}
	p := s.Deploy.RestartPolicy
	switch {
	case p.Condition == "none":
		return "no"
	case p.Condition != "on-failure":
		return "unless-stopped"
	case p.MaxAttempts != nil && *p.MaxAttempts > 0:
		return fmt.Sprintf("on-failure:%d", *p.MaxAttempts)
	}
	return "on-failure"
}

// resources converts what the service may use.
func (c *composer) resources(out *service, s types.ServiceConfig) {
	limits := map[string]any{}
	set := func(key string, value any, given bool) {
		if given {
			limits[key] = value
		}
	}
	if s.Deploy != nil && s.Deploy.Resources.Limits != nil {
		l := s.Deploy.Resources.Limits
		set("cpus", float64(l.NanoCPUs), l.NanoCPUs > 0)
		set("memory", bytesText(int64(l.MemoryBytes)), l.MemoryBytes > 0)
		set("pids", l.Pids, l.Pids > 0)
	}
	set("cpus", s.CPUS, s.CPUS > 0)
	set("cpu_shares", s.CPUShares, s.CPUShares > 0)
	set("memory", bytesText(int64(s.MemLimit)), s.MemLimit > 0)
	set("swap", bytesText(int64(s.MemSwapLimit)), s.MemSwapLimit != 0)
	set("pids", s.PidsLimit, s.PidsLimit > 0)
	if len(limits) > 0 {
		out.Limits = limits
	}
	for _, name := range sortedKeys(s.Ulimits) {
		if out.Ulimits == nil {
			out.Ulimits = map[string]any{}
		}
		u := s.Ulimits[name]
		if out.Ulimits[name] = any(u.Single); u.Single == 0 {
			out.Ulimits[name] = map[string]int{"soft": u.Soft, "hard": u.Hard}
		}
	}
	if s.ShmSize > 0 {
		out.ShmSize = bytesText(int64(s.ShmSize))
	}
	if s.Logging != nil {
		out.LogDriver, out.LogOptions = s.Logging.Driver, s.Logging.Options
	}
	for _, d := range s.Devices {
		out.Devices = append(out.Devices, strings.TrimSuffix(d.Source+":"+d.Target+":"+d.Permissions, ":"))
	}
}

// replicas converts how many there are, and how they are replaced.
func (c *composer) replicas(place string, out *service, s types.ServiceConfig) {
	count := 1
	if s.Scale != nil {
		count = *s.Scale
	}
	out.Count = count
	defer c.crowded(place, out)
	d := s.Deploy
	if d == nil {
		return
	}
	switch {
	case d.Mode == "global":
		out.Count = "each"
	case d.Replicas != nil:
		out.Count = *d.Replicas
	}
	for n, p := range d.Placement.Preferences {
		label, ok := strings.CutPrefix(p.Spread, "node.labels.")
		if _, counted := out.Count.(int); ok && counted && out.Spread == "" {
			out.Spread = label
		} else {
			c.say(fmt.Sprintf("%s.deploy.placement.preferences.%d", place, n), "%q is not carried over; spread: takes one label of ships", p.Spread)
		}
	}
	for _, constraint := range d.Placement.Constraints {
		c.say(place+".deploy.placement", "%q is not carried over; write on: with labels of your ships", constraint)
	}
	if u := d.UpdateConfig; u != nil {
		out.Update = updateOf(u)
		if u.FailureAction == "continue" {
			c.say(place+".deploy.update_config.failure_action", "continue is not carried over; tolerate: says how many may fail")
		}
	}
}

// crowded says that a fixed host port keeps instances on ships of their own.
func (c *composer) crowded(place string, out *service) {
	if n, counted := out.Count.(int); !counted || n < 2 {
		return
	}
	for _, name := range sortedKeys(out.Ports) {
		if text, ok := out.Ports[name].(string); ok && strings.Contains(text, ":") {
			c.say(place+".ports."+name, "%s fixes a port of the host, so that every instance needs a ship of its own; write only the container's port to let Docker pick", text)
		}
	}
}

func updateOf(u *types.UpdateConfig) map[string]any {
	out := map[string]any{}
	if u.Parallelism != nil && *u.Parallelism > 0 {
		out["at_once"] = *u.Parallelism
	}
	if u.Order != "" {
		out["order"] = strings.ReplaceAll(u.Order, "-", "_")
	}
	if u.Delay > 0 {
		out["wait"] = time.Duration(u.Delay).String()
	}
	if u.Monitor > 0 {
		out["watch"] = time.Duration(u.Monitor).String()
	}
	if u.MaxFailureRatio > 0 {
		out["tolerate"] = fmt.Sprintf("%d%%", int(math.Ceil(float64(u.MaxFailureRatio)*100)))
	}
	switch u.FailureAction {
	case "rollback", "pause":
		out["on_failure"] = u.FailureAction
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
