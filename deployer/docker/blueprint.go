package docker

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"batuta"
	"batuta/deployer"
)

// blueprint is an instance in Docker's words.
type blueprint struct {
	identity   map[string]string // the labels that no two containers share
	config     *container.Config
	host       *container.HostConfig
	networking *network.NetworkingConfig
}

func newBlueprint(s deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance, networkID string) (blueprint, error) {
	restart, err := restartPolicy(i.Restart)
	if err != nil {
		return blueprint{}, err
	}
	exposed, bindings := portsOf(i.Ports)
	binds, mounts := volumesOf(s, i.Volumes)
	labels := instanceLabels(s, r, i)
	identity := scopeLabels(s)
	identity[labelInstance], identity[labelConfig] = labels[labelInstance], labels[labelConfig]
	return blueprint{
		identity: identity,
		config: &container.Config{
			Hostname: string(i.Name), Image: i.Image.String(), Cmd: i.Command, Env: environmentOf(i.Env),
			ExposedPorts: exposed, Labels: labels, StopTimeout: new(seconds(i.StopTimeout)),
		},
		host: &container.HostConfig{
			NetworkMode: container.NetworkMode(networkID), PortBindings: bindings, RestartPolicy: restart,
			Binds: binds, Mounts: mounts,
		},
		networking: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
			networkID: {Aliases: []string{string(i.Service), string(i.Name)}},
		}},
	}, nil
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

func environmentOf(variables []deployer.Variable) []string {
	var out []string
	for _, v := range variables {
		out = append(out, v.Name+"="+v.Value)
	}
	return out
}

func portsOf(ports []deployer.Port) (nat.PortSet, nat.PortMap) {
	exposed, bindings := nat.PortSet{}, nat.PortMap{}
	for _, p := range ports {
		port := nat.Port(fmt.Sprintf("%d/%s", p.Container, p.Protocol))
		binding := nat.PortBinding{HostIP: p.Address}
		if p.Host != 0 {
			binding.HostPort = strconv.Itoa(p.Host)
		}
		exposed[port] = struct{}{}
		bindings[port] = append(bindings[port], binding)
	}
	return exposed, bindings
}

// volumesOf gives the directories of the ship, which Docker makes if they are
// missing, as docker run -v does, and the named volumes, which get the scope's
// labels.
func volumesOf(s deployer.Scope, volumes []deployer.Volume) (binds []string, mounts []mount.Mount) {
	for _, v := range volumes {
		if path.IsAbs(v.Source) {
			binds = append(binds, v.String())
			continue
		}
		mounts = append(mounts, mount.Mount{
			Type: mount.TypeVolume, Source: v.Source, Target: v.Target, ReadOnly: v.ReadOnly,
			VolumeOptions: &mount.VolumeOptions{Labels: scopeLabels(s)},
		})
	}
	return binds, mounts
}

// seconds rounds up to what Docker counts in.
func seconds(d time.Duration) int { return int(math.Ceil(max(d, 0).Seconds())) }
