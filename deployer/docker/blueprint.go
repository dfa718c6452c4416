package docker

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"batuta"
	"batuta/deployer"
)

// blueprint is an instance in Docker's words, but for the environment's
// network, which join puts into it.
type blueprint struct {
	identity map[string]string // the labels that no two containers share
	platform string
	body     body
}

// newBlueprint needs no ship. What cannot be said in Docker's words is Invalid.
func newBlueprint(s deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) (*blueprint, error) {
	host, err := hostConfigOf(i)
	if err != nil {
		return nil, err
	}
	volumes, err := mountPoints(i)
	if err != nil {
		return nil, err
	}
	exposed, bindings := portsOf(i.Ports)
	host.PortBindings = bindings
	labels := instanceLabels(s, r, i)
	identity := scopeLabels(s)
	identity[labelInstance], identity[labelConfig] = labels[labelInstance], labels[labelConfig]
	return &blueprint{
		identity: identity,
		platform: i.Platform,
		body: body{
			Hostname: hostnameOf(i), User: i.User, ExposedPorts: exposed, Env: environmentOf(i.Env), Cmd: i.Command,
			Entrypoint: i.Entrypoint, Healthcheck: healthcheckOf(i.Healthcheck), Image: imageReference(i), Volumes: volumes,
			WorkingDir: i.Workdir, Labels: labels, StopSignal: i.StopSignal, StopTimeout: seconds(i.StopTimeout), HostConfig: host,
		},
	}, nil
}

// join makes a network the container's own, in which others find it by the
// names of its service and its instance. Docker takes the links from here in a
// network that somebody made, and from HostConfig in its own.
func (b *blueprint) join(network string, i deployer.Instance) {
	aliases := slices.Compact([]string{string(i.Service), string(i.Name)})
	b.body.HostConfig.NetworkMode = network
	b.body.NetworkingConfig.EndpointsConfig = map[string]endpoint{network: {
		Aliases: append(aliases, i.Aliases...), Links: linksOf(i.Links),
	}}
}

func hostConfigOf(i deployer.Instance) (hostConfig, error) {
	restart, err := restartPolicy(i.Restart)
	if err != nil {
		return hostConfig{}, err
	}
	bounds, err := resourcesOf(i.Settings)
	if err != nil {
		return hostConfig{}, err
	}
	h := hostConfig{
		NetworkMode: i.NetworkMode, Binds: bindsOf(i.Volumes), Tmpfs: i.Tmpfs, Links: linksOf(i.Links), ExtraHosts: i.ExtraHosts,
		DNS: i.DNS, RestartPolicy: restart, LogConfig: container.LogConfig{Type: i.LogDriver, Config: i.LogOptions},
		Privileged: i.Privileged, CapAdd: i.CapAdd, CapDrop: i.CapDrop, SecurityOpt: i.SecurityOpt,
		ReadonlyRootfs: i.ReadOnly, Init: i.Init, ShmSize: i.ShmSize, Sysctls: i.Sysctls, resources: bounds,
	}
	for _, name := range i.VolumesFrom {
		h.VolumesFrom = append(h.VolumesFrom, string(name))
	}
	return h, nil
}

func resourcesOf(s deployer.Settings) (resources, error) {
	r := resources{
		CPUShares: s.Limits.CPUShares, NanoCPUs: int64(math.Round(s.Limits.CPUs * 1e9)),
		Memory: s.Limits.Memory, MemorySwap: s.Limits.Swap, PIDsLimit: s.Limits.PIDs,
	}
	for _, u := range s.Ulimits {
		r.Ulimits = append(r.Ulimits, &container.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	for _, d := range s.Devices {
		mapping, err := deviceOf(d)
		if err != nil {
			return resources{}, err
		}
		r.Devices = append(r.Devices, mapping)
	}
	return r, nil
}

// deviceOf reads /dev/a, /dev/a:/dev/b, /dev/a:rw and /dev/a:/dev/b:rw.
func deviceOf(s string) (container.DeviceMapping, error) {
	host, rest, _ := strings.Cut(s, ":")
	d := container.DeviceMapping{PathOnHost: host, PathInContainer: host, CgroupPermissions: "rwm"}
	for _, word := range strings.FieldsFunc(rest, func(r rune) bool { return r == ':' }) {
		if strings.HasPrefix(word, "/") {
			d.PathInContainer = word
		} else {
			d.CgroupPermissions = word
		}
	}
	if !strings.HasPrefix(host, "/") || strings.Count(rest, ":") > 1 || strings.Trim(d.CgroupPermissions, "rwm") != "" {
		return d, &batuta.Error{
			Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a device", s),
			Hint: "write /dev/name, or /dev/name:/dev/inside:rwm",
		}
	}
	return d, nil
}

// restartPolicy reads no, always, unless-stopped, on-failure and on-failure:5.
func restartPolicy(s string) (container.RestartPolicy, error) {
	name, count, counted := strings.Cut(s, ":")
	policy := container.RestartPolicy{Name: container.RestartPolicyMode(name)}
	var err error
	if counted {
		policy.MaximumRetryCount, err = strconv.Atoi(count)
	}
	if err == nil {
		err = container.ValidateRestartPolicy(policy)
	}
	if err != nil {
		return policy, &batuta.Error{
			Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a restart policy", s),
			Hint: "write no, always, unless-stopped, on-failure or on-failure:5",
		}
	}
	return policy, nil
}

// hostnameOf is the instance's name, unless the container has somebody else's
// network, whose name it then has too.
func hostnameOf(i deployer.Instance) string {
	if i.Hostname == "" && i.NetworkMode == "" {
		return string(i.Name)
	}
	return i.Hostname
}

func imageReference(i deployer.Instance) string {
	if i.Image == (batuta.Image{}) {
		return i.Reference
	}
	return i.Image.String()
}

// environmentOf gives NAME=value, and the bare NAME of what is to be taken away
// from the image's variables.
func environmentOf(variables []deployer.Variable) []string {
	var out []string
	for _, v := range variables {
		if v.Unset {
			out = append(out, v.Name)
		} else {
			out = append(out, v.Name+"="+v.Value)
		}
	}
	return out
}

func healthcheckOf(h *deployer.Healthcheck) *container.HealthConfig {
	if h == nil {
		return nil
	}
	return &container.HealthConfig{Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, Retries: h.Retries}
}

func linksOf(links []deployer.Link) []string {
	var out []string
	for _, l := range links {
		out = append(out, string(l.Instance)+":"+l.Alias)
	}
	return out
}

func portsOf(ports []deployer.Port) (nat.PortSet, nat.PortMap) {
	exposed, bindings := nat.PortSet{}, nat.PortMap{}
	for _, p := range ports {
		port := nat.Port(fmt.Sprintf("%d/%s", p.Container, p.Protocol))
		exposed[port] = struct{}{}
		bindings[port] = append(bindings[port], nat.PortBinding{HostIP: p.Address, HostPort: hostPort(p)})
	}
	return exposed, bindings
}

// hostPort is 80, 18300-18302, or empty for Docker to pick one.
func hostPort(p deployer.Port) string {
	switch {
	case p.Host == 0:
		return ""
	case p.HostEnd > p.Host:
		return fmt.Sprintf("%d-%d", p.Host, p.HostEnd)
	}
	return strconv.Itoa(p.Host)
}

// seconds rounds up to what Docker counts in.
func seconds(d time.Duration) int { return int(math.Ceil(max(d, 0).Seconds())) }
