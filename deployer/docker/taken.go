package docker

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"

	"batuta/deployer"
)

// Taken lists the host ports that the Engine publishes for running containers.
func (s *Ship) Taken(ctx context.Context) ([]deployer.Taken, error) {
	out, err := s.taken(ctx)
	return out, s.fault(err, "list host ports")
}

func (s *Ship) taken(ctx context.Context) ([]deployer.Taken, error) {
	c, err := s.engine(ctx)
	if err != nil {
		return nil, err
	}
	list, err := c.ContainerList(ctx, container.ListOptions{})
	if err != nil {
		return nil, err
	}
	var out []deployer.Taken
	for _, l := range list {
		by := listed(s.name, l)
		for _, p := range l.Ports {
			if p.PublicPort == 0 {
				continue
			}
			at := deployer.Port{Host: int(p.PublicPort), Address: p.IP, Protocol: p.Type}
			if p.IP == "0.0.0.0" {
				at.Address = ""
			}
			out = append(out, deployer.Taken{Port: at, By: by.Name, Scope: by.Scope})
		}
	}
	slices.SortFunc(out, func(a, b deployer.Taken) int {
		return cmp.Or(a.Port.Host-b.Port.Host, strings.Compare(a.Port.Address, b.Port.Address), strings.Compare(a.By, b.By))
	})
	return out, nil
}

// Listens asks where the Engine is: through the process that answers at its
// socket, or else through a probe container.
func (s *Ship) Listens(ctx context.Context) ([]deployer.Port, error) {
	if s.origin.local() {
		if ports, err := listeningBeside(ctx, s.origin.address); err == nil {
			return ports, nil
		}
	}
	a, err := s.remote.ask(ctx, question{Listens: true})
	return a.Ports, s.fault(err, "ask on which ports its processes listen")
}
