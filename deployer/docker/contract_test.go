package docker_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/deployer/shiptest"
	"batuta/internal/lab"
)

func TestShipKeepsTheContract(t *testing.T) {
	t.Parallel()
	at := lab.Ships(t, 1)[0]
	for name, endpoint := range map[string]string{"over TCP": at.TCP, "over a unix socket": at.Endpoint} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shiptest.Run(t, func(t *testing.T) shiptest.Fixture {
				have := busybox(t)
				missing := batuta.Image{Repository: have.Repository, Digest: batuta.Digest("sha256:" + strings.Repeat("0", 64))}
				ship := dial(t, at.Name, endpoint, docker.Options{Runtime: newRuntime(t)})
				return shiptest.Fixture{Ship: newTidy(t, ship), Name: at.Name, Image: have, Missing: missing}
			})
		})
	}
}

// tidy is a ship whose networks are removed after its containers.
type tidy struct {
	*docker.Ship
	scopes sync.Map
}

func newTidy(t *testing.T, ship *docker.Ship) *tidy {
	s := &tidy{Ship: ship}
	t.Cleanup(func() {
		for scope := range s.scopes.Range {
			must(t, s.RemoveNetwork(context.WithoutCancel(t.Context()), scope.(deployer.Scope)))
		}
	})
	return s
}

func (s *tidy) Create(ctx context.Context, scope deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) (string, error) {
	s.scopes.Store(scope, true)
	return s.Ship.Create(ctx, scope, r, i)
}
