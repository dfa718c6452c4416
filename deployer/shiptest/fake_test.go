package shiptest_test

import (
	"testing"

	"batuta"
	"batuta/deployer/shiptest"
)

func TestFakeKeepsTheContract(t *testing.T) {
	shiptest.Run(t, func(*testing.T) shiptest.Fixture {
		missing := batuta.Image{Repository: "registry.test/none", Digest: "sha256:00"}
		ship := shiptest.New("ship-a")
		ship.Before = func(c shiptest.Call) error {
			if (c.Method == "Pull" || c.Method == "Fetch") && c.Image == missing {
				return batuta.NotFound
			}
			return nil
		}
		return shiptest.Fixture{
			Ship: ship, Name: "ship-a", Missing: missing,
			Image: batuta.Image{Repository: "registry.test/busybox", Digest: "sha256:11"},
		}
	})
}
