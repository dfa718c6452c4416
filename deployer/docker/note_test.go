package docker_test

import (
	"testing"
	"time"

	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// TestMarksOutliveTheDaemon has a daemon killed between a deployment and the
// next, which has to find what the first one left.
func TestMarksOutliveTheDaemon(t *testing.T) {
	t.Parallel()
	at := lab.OwnShips(t, 1)[0]
	b := benchOn(t, at, at.Endpoint)
	first := deployer.Note{Change: "run 12", Left: []string{"0123"}}
	_, err := b.Begin(t.Context(), b.scope, first)
	must(t, err)
	must(t, takes(t.Context(), b.Ship, b, "ada"))

	must(t, at.KillDaemon(t.Context()))
	must(t, at.Restart(t.Context()))
	ship := dial(t, at.Name, at.Endpoint, docker.Options{})
	stands, err := ship.Begin(t.Context(), b.scope, deployer.Note{Change: "run 13"})
	if err != nil || stands.Change != first.Change || len(stands.Left) != 1 {
		t.Errorf("the note that stands is %+v (%v), want %+v", stands, err, first)
	}
	if by, err := ship.Lock(t.Context(), b.scope, "grace", time.Minute); err != nil || by != "ada" {
		t.Errorf("the lease is held by %q (%v), want ada", by, err)
	}
	must(t, ship.End(t.Context(), b.scope))
	must(t, ship.Unlock(t.Context(), b.scope, "ada"))
}
