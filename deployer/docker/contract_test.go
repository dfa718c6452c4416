package docker_test

import (
	"strings"
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
			keepsTheContract(t, at, endpoint, deployer.Reach{})
		})
	}
}

// What the oldest Engine does that Batuta works with, a recent one does too.
func TestShipWithARecentEngineKeepsTheContract(t *testing.T) {
	t.Parallel()
	at := lab.NewerShips(t, 1)[0]
	version, err := raw(t, at.Endpoint).ServerVersion(t.Context())
	must(t, err)
	if major, _, _ := strings.Cut(version.Version, "."); len(major) != 2 || major < "26" {
		t.Fatalf("the Engine is %s", version.Version)
	}
	keepsTheContract(t, at, at.TCP, deployer.Reach{})
}

func keepsTheContract(t *testing.T, at lab.Ship, endpoint string, reach deployer.Reach) {
	shiptest.Run(t, func(t *testing.T) shiptest.Fixture {
		have := busybox(t)
		missing := batuta.Image{Repository: have.Repository, Digest: batuta.Digest("sha256:" + strings.Repeat("0", 64))}
		ship := dial(t, at.Name, endpoint, docker.Options{Runtime: newRuntime(t), Reach: reach})
		return shiptest.Fixture{Ship: ship, Name: at.Name, Image: have, Missing: missing}
	})
}
