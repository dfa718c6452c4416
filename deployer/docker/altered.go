package docker

import (
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/container"

	"batuta/deployer"
)

// altered says what somebody changed of a container by hand.
func altered(c container.InspectResponse) []string {
	labels := c.Config.Labels
	now := deployer.Actual{Restart: string(c.HostConfig.RestartPolicy.Name)}
	if n := c.HostConfig.RestartPolicy.MaximumRetryCount; n > 0 {
		now.Restart = fmt.Sprintf("%s:%d", now.Restart, n)
	}
	r := c.HostConfig.Resources
	now.Limits = deployer.Limits{Memory: r.Memory, CPUs: float64(r.NanoCPUs) / 1e9, CPUShares: r.CPUShares}
	if r.PidsLimit != nil {
		now.Limits.PIDs = *r.PidsLimit
	}
	mode := string(c.HostConfig.NetworkMode)
	for name, at := range c.NetworkSettings.Networks {
		switch {
		case name != mode && at.NetworkID != mode && at.NetworkID != "": // it has none before its first start
			now.Networks = append(now.Networks, name)
		case slices.Contains(at.Aliases, labels[labelInstance]):
			now.Own = true
		}
	}
	return deployer.Altered(labels[labelSpec], now)
}
