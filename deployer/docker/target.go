package docker

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
)

// target is a running container as a check sees it.
type target struct {
	id   string
	pid  int    // on the ship
	host string // its own address in the ship's network
}

// target asks the Engine for a container's.
func (s *Ship) target(ctx context.Context, id string) (target, error) {
	if _, err := s.engine(ctx); err != nil {
		return target{}, err
	}
	found, err := s.inspect(ctx, id)
	switch {
	case err != nil:
		return target{}, err
	case !found.State.Running || found.State.Restarting || found.State.Pid == 0:
		return target{}, unhealthy("the container does not run: it is %s", found.State.Status)
	}
	t := target{id: found.ID, pid: found.State.Pid, host: addressOf(found)}
	if t.host == "" {
		return target{}, unhealthy("the container has no address")
	}
	s.targets.remember(t)
	return t, nil
}

// addressOf is a container's address in the network it was created in, or else
// in the first that gives it one.
func addressOf(c container.InspectResponse) string {
	mode := c.HostConfig.NetworkMode
	if mode.IsHost() {
		return "127.0.0.1"
	}
	networks := c.NetworkSettings.Networks
	keys := slices.Sorted(maps.Keys(networks))
	slices.SortStableFunc(keys, func(a, b string) int {
		own := func(key string) int {
			if key == string(mode) || networks[key].NetworkID == string(mode) {
				return 0
			}
			return 1
		}
		return own(a) - own(b)
	})
	for _, key := range keys {
		if address := cmp.Or(networks[key].IPAddress, networks[key].GlobalIPv6Address); address != "" {
			return address
		}
	}
	return ""
}

// fresh is for how long a target is good without the Engine being asked again.
// Many checks of many containers would otherwise keep it from its work: what
// has to start is asked for every few milliseconds. A container that has ended
// or been restarted meanwhile has not the process any more (see enter), and an
// address that it has been given since is found a second later.
const fresh = time.Second

// targets remembers what the Engine has lately told of running containers. The
// zero value remembers nothing.
type targets struct {
	mu    sync.Mutex
	known map[string]seen // by the container's id
	kept  int             // after the last time that those too old were let go
}

type seen struct {
	target
	when time.Time
}

func (k *targets) remember(t target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known = map[string]seen{}
	}
	k.known[t.id] = seen{t, time.Now()}
	if len(k.known) > 2*k.kept {
		maps.DeleteFunc(k.known, func(_ string, s seen) bool { return time.Since(s.when) > fresh })
		k.kept = max(len(k.known), leastKept)
	}
}

const leastKept = 64

func (k *targets) lately(id string) (target, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.known[id]
	return s.target, ok && time.Since(s.when) <= fresh
}
