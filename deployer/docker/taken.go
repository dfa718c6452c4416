package docker

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"batuta/deployer"
)

// Taken lists the host ports that the Engine publishes for running containers,
// and those on which processes of the ship listen. What cannot be told of the
// processes is left out.
func (s *Ship) Taken(ctx context.Context) ([]deployer.Taken, error) {
	out, err := s.taken(ctx)
	return out, s.fault(err, "list host ports")
}

// unpublishing is how long the Engine may listen for a container that it does
// not list any more, or does not list yet.
const unpublishing = 300 * time.Millisecond

// listenTimeout is how long a ship may take to tell of its processes: it may
// have to be given a probe container first, and the Engine has told of its
// containers long before that.
const listenTimeout = 3 * time.Second

func (s *Ship) taken(ctx context.Context) ([]deployer.Taken, error) {
	out, err := s.published(ctx)
	if err != nil {
		return nil, err
	}
	others := s.others(ctx, out)
	if len(others) > 0 {
		if err := pause(ctx, unpublishing); err != nil {
			return nil, err
		}
		if out, err = s.published(ctx); err != nil {
			return nil, err
		}
		still := s.others(ctx, out)
		others = slices.DeleteFunc(others, func(p deployer.Taken) bool { return !slices.Contains(still, p) })
	}
	out = append(out, others...)
	slices.SortFunc(out, func(a, b deployer.Taken) int {
		return cmp.Or(a.Port.Host-b.Port.Host, strings.Compare(a.Port.Address, b.Port.Address), strings.Compare(a.By, b.By))
	})
	return out, nil
}

// published are the ports that the Engine holds for containers.
func (s *Ship) published(ctx context.Context) ([]deployer.Taken, error) {
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
	return out, nil
}

// others are the ports on which processes listen, but for the Engine's own for
// containers.
func (s *Ship) others(ctx context.Context, published []deployer.Taken) []deployer.Taken {
	listening, err := s.listening(ctx)
	if err != nil {
		return nil
	}
	var out []deployer.Taken
	for _, p := range listening {
		if !slices.ContainsFunc(published, func(t deployer.Taken) bool { return t.Port.Host == p.Host && t.Port.Protocol == p.Protocol }) {
			out = append(out, deployer.Taken{Port: p})
		}
	}
	return out
}

// listening asks where the Engine is: through the process that answers at its
// socket, or else through a probe container.
func (s *Ship) listening(ctx context.Context) ([]deployer.Port, error) {
	if s.origin.local() {
		if ports, err := listeningBeside(ctx, s.origin.address); err == nil {
			return ports, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	a, err := s.remote.ask(ctx, question{Listens: true})
	return a.Ports, err
}
