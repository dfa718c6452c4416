package deployer

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// urls are where a running container's HTTP ports answer.
func (c Container) urls(address string) []string {
	if !c.running() || address == "" {
		return nil
	}
	spec, _ := recall(c)
	var out []string
	for _, declared := range spec.Ports {
		scheme, ok := spec.scheme(declared)
		if !ok {
			continue
		}
		for _, p := range c.Ports {
			if p.Container == declared.Container && p.Protocol == "tcp" && p.Host != 0 {
				host := address
				if !anyAddress(p.Address) {
					host = p.Address
				}
				out = append(out, fmt.Sprintf("%s://%s", scheme, net.JoinHostPort(host, strconv.Itoa(p.Host))))
				break
			}
		}
	}
	return out
}

// scheme tells whether a port speaks HTTP: by its check, or by its name.
func (f fingerprint) scheme(p Port) (string, bool) {
	if strings.HasPrefix(p.Name, "https") {
		return "https", true
	}
	checked := slices.ContainsFunc(f.Checks, func(c Check) bool { return c.Type == CheckHTTP && c.Port == p.Container })
	return "http", p.Protocol == "tcp" && (checked || strings.HasPrefix(p.Name, "http"))
}
