package deployer_test

import (
	"context"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/internal/lab"
)

// TestAShipThatFailsInMidDeployment breaks the first of three ships when it
// has just started the new container. The two others go on serving what they
// did, and are back at it in bounded time; when the ship is back, the next
// deployment goes through.
func TestAShipThatFailsInMidDeployment(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breaks, mends func(lab.Ship, context.Context) error
	}{
		"it is cut off":                    {lab.Ship.Cut, lab.Ship.Heal},
		"its daemon hangs":                 {lab.Ship.Freeze, lab.Ship.Thaw},
		"its daemon is killed, then comes": {lab.Ship.KillDaemon, lab.Ship.Restart},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newOwnDock(t, 3)
			d.live(t, release{script: serving("first")})
			before, bad := d.running(t), d.ships[0]
			enough := d.asks(t, bad.Name)

			began, broken := time.Now(), false
			outcome, err := d.apply(t, d.Fleet, release{script: serving("second")}, func(e deployer.Event) {
				if !broken && started(e, bad.Name) {
					broken = true
					if err := c.breaks(bad, t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
			enough()
			if !broken || outcome.Status == batuta.Live || err == nil {
				t.Errorf("apply = %v, %v", outcome, err)
			}
			if took := time.Since(began); took > soon {
				t.Errorf("it took %s to say that %s is broken", took, bad.Name)
			}
			t.Logf("%s: %v after %s: %v", name, outcome.Status, time.Since(began), err)
			d.leftAlone(t, before, bad.Name)

			if err := c.mends(bad, t.Context()); err != nil {
				t.Fatal(err)
			}
			lab.Wait(t, soon, func() error { return answers(t, d, bad.Name) })
			d.live(t, release{script: serving("third")})
			d.running(t)
		})
	}
}

// answers tells whether a ship tells what it runs.
func answers(t *testing.T, d *ownDock, ship batuta.ShipName) error {
	if why, silent := d.Observe(t.Context(), d.scope).Unreachable[ship]; silent {
		return &batuta.Error{Kind: batuta.Unavailable, Message: why}
	}
	return nil
}
