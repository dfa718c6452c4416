package docker

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/deployer"
)

// inspections is how many containers of a ship are looked into at once. More
// would make new connections, and an Engine no faster: 25 at once take 19 ms, 8
// at a time 9 ms.
const inspections = 8

// Containers lists the containers of the scope, oldest first.
func (s *Ship) Containers(ctx context.Context, scope deployer.Scope) ([]deployer.Container, error) {
	out, err := s.containers(ctx, scope)
	return out, s.fault(err, "list containers")
}

// containers asks for the list, and looks into those that were started: the
// list has neither exit codes nor times.
func (s *Ship) containers(ctx context.Context, scope deployer.Scope) ([]deployer.Container, error) {
	c, err := s.engine(ctx)
	if err != nil {
		return nil, err
	}
	list, err := c.ContainerList(ctx, container.ListOptions{All: true, Filters: inScope(scope)})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(l container.Summary) bool { return l.Labels[labelInstance] == "" })
	slices.SortFunc(list, func(a, b container.Summary) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), strings.Compare(a.ID, b.ID))
	})
	found := make([]*deployer.Container, len(list))
	g, ctx := errgroup.WithContext(ctx)
	for n, l := range list {
		g.Go(func() (err error) {
			found[n], err = s.look(ctx, l)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []deployer.Container
	for _, f := range found {
		if f != nil { // else it was removed meanwhile
			out = append(out, *f)
		}
	}
	return out, nil
}

// look completes what the list says of a container.
func (s *Ship) look(ctx context.Context, l container.Summary) (*deployer.Container, error) {
	out := listed(s.name, l)
	if l.State == container.StateCreated {
		return out, nil
	}
	found, err := s.inspect(ctx, l.ID)
	if errdefs.IsNotFound(err) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	out.State, out.ExitCode, out.Restarts = found.State.Status, found.State.ExitCode, found.RestartCount
	out.Created, _ = time.Parse(time.RFC3339Nano, found.Created)
	out.Started, _ = time.Parse(time.RFC3339Nano, found.State.StartedAt)
	out.Ports = publishedPorts(found.HostConfig.PortBindings)
	out.Altered = altered(found)
	if found.State.Running && !found.State.Restarting {
		out.Ports = publishedPorts(found.NetworkSettings.Ports)
		if at := addressOf(found); at != "" {
			s.targets.remember(target{id: found.ID, pid: found.State.Pid, host: at})
		}
	}
	return out, nil
}

// inspect asks all that the Engine knows of a container.
func (s *Ship) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	if err := s.looking.Acquire(ctx, 1); err != nil {
		return container.InspectResponse{}, err
	}
	defer s.looking.Release(1)
	return s.client.ContainerInspect(ctx, id)
}

// listed is what the list says of a container.
func listed(ship batuta.ShipName, l container.Summary) *deployer.Container {
	release, _ := strconv.Atoi(l.Labels[labelRelease])
	out := &deployer.Container{
		ID: l.ID,
		Scope: deployer.Scope{
			App: batuta.AppName(l.Labels[labelApp]), Environment: batuta.EnvironmentName(l.Labels[labelEnvironment]),
		},
		Service: batuta.ServiceName(l.Labels[labelService]), Instance: batuta.InstanceName(l.Labels[labelInstance]),
		Ship: ship, Release: batuta.ReleaseNumber(release), Config: l.Labels[labelConfig], Spec: l.Labels[labelSpec],
		Requires: required(l.Labels[labelRequires]),
		Image:    imageOf(l.Labels[labelImage]), ImageID: l.ImageID, State: l.State, Created: time.Unix(l.Created, 0),
	}
	if len(l.Names) > 0 {
		out.Name = strings.TrimPrefix(l.Names[0], "/")
	}
	return out
}

// publishedPorts reads Docker's map of ports, in the order of the container's.
// Of a port that is published on IPv4 and IPv6 alike only the first is told.
func publishedPorts(bindings nat.PortMap) []deployer.Port {
	var out []deployer.Port
	for port, published := range bindings {
		for _, b := range published {
			host, _ := strconv.Atoi(b.HostPort)
			p := deployer.Port{Container: port.Int(), Host: host, Address: b.HostIP, Protocol: port.Proto()}
			if p.Address == "0.0.0.0" {
				p.Address = ""
			}
			if p.Address != "::" || len(published) == 1 {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, func(a, b deployer.Port) int {
		return cmp.Or(a.Container-b.Container, strings.Compare(a.Protocol, b.Protocol), strings.Compare(a.Address, b.Address), a.Host-b.Host)
	})
	return out
}
