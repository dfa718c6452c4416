package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// suffer has the mishaps happen that are due at this call, and gives the fault
// of the call itself. The world's mutex is held.
func (w *world) suffer(a *attempt, c shiptest.Call) (fault error) {
	for {
		n := slices.IndexFunc(a.mishaps, func(m Mishap) bool { return m.due(a) })
		if n < 0 {
			return fault
		}
		m := a.mishaps[n]
		a.mishaps = slices.Delete(slices.Clone(a.mishaps), n, n+1)
		a.suffered++
		w.note("mishap: %s", m)
		if err := w.happen(a, c, m); err != nil {
			fault = err
		}
	}
}

func (w *world) happen(a *attempt, c shiptest.Call, m Mishap) error {
	switch m.Kind {
	case Silent:
		return errSilent
	case Refused:
		return &batuta.Error{Kind: batuta.Internal, Message: "the Engine says: server error"}
	case Hangs:
		return w.hang(c)
	case Lost:
		w.lose[c] = true
	case Away, Frozen:
		w.away[m.Ship] = outage{time.Now().Add(m.For), m.Kind == Frozen}
		time.AfterFunc(m.For, func() { w.heal(m.Ship) })
	case Reboot:
		w.reboot(m.Ship)
	case NoPull:
		a.nopull = m.Ship
	case NoRemove:
		a.noremove = true
	case Rival:
		w.rival(a, m.Pick)
	case Kill, Late:
		a.dead, a.interrupted, a.killed = true, true, true
		a.cancel(deployer.ErrSuspended) // nothing of a dead process waits for anything
		if m.Pick%2 == 0 {
			return errKilled
		}
	case Suspend:
		a.interrupted, a.killed = true, true
		a.cancel(deployer.ErrSuspended)
	case Cancel:
		a.cancel(errCancelled)
	default:
		w.hand(m)
	}
	return nil
}

var errCancelled = errors.New("somebody cancelled it")

func (w *world) heal(ship batuta.ShipName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if out, silent := w.away[ship]; silent && !time.Now().Before(out.until) {
		delete(w.away, ship)
		w.note("%s answers again", ship)
	}
}

func (w *world) reboot(ship batuta.ShipName) {
	for _, c := range w.ships[ship].Look() {
		delete(w.asFound, c.ID)
		w.ships[ship].Crash(c.ID, 137)
	}
	w.look()
}

// hand is what a person does, past the deployer.
func (w *world) hand(m Mishap) {
	ctx := shiptest.As(context.Background(), "somebody")
	ours := slices.DeleteFunc(w.ours(), func(c shiptest.Sight) bool { return !instance(c) })
	switch {
	case m.Kind == HandAdd && len(ours) > 0:
		w.strange(Stranger{m.Ship, ours[m.Pick%len(ours)].Instance, 0})
		return
	case m.Kind == HandPort:
		w.strange(Stranger{m.Ship, "stranger", m.Host})
		return
	case len(ours) == 0:
		return
	}
	c := ours[m.Pick%len(ours)]
	w.mu.Unlock() // the call looks at the world again
	switch m.Kind {
	case HandStop:
		_ = w.ships[c.Ship].Stop(ctx, c.ID, 0)
	case HandAlter:
		w.ships[c.Ship].Alter(c.ID, "limit memory none → 1g")
	case HandPause:
		w.ships[c.Ship].Pause(c.ID)
	default:
		_ = w.ships[c.Ship].Remove(ctx, c.ID)
	}
	w.mu.Lock()
	w.note("it is %s (%s) on %s", c.Instance, c.ID, c.Ship)
	if m.Kind == HandAlter {
		w.look() // it has done nothing by itself
	}
	w.excuse(c, "was ended by somebody")
}

// rival has another server deploy the same release at the same time, or what is
// live with one service changed.
func (w *world) rival(a *attempt, pick int) {
	if a.rival {
		return
	}
	services := a.release.Services
	if w.previous != nil && len(w.previous.release.Services) > 0 && pick%3 > 0 {
		services = slices.Clone(w.previous.release.Services)
		s := &services[pick%len(services)]
		s.Version, s.Life, s.Lame = rivalVersion, shiptest.Behaviour{}, ""
	}
	w.rivaled++
	name := fmt.Sprintf("rival-%d", w.rivaled) // no two processes have one name
	who := a.who + "-" + name
	w.rivals.Go(func() {
		w.deploy(context.Background(), w.newFleet(name), attempt{who: who, release: Release{Services: services, Left: a.release.Left}, rival: true})
	})
}

const rivalVersion = 500 // which behaves well

// strange has a container run that is none of ours, and is to be left alone.
// The world's mutex is held.
func (w *world) strange(s Stranger) {
	w.mu.Unlock()
	defer w.mu.Lock()
	ctx, ship := shiptest.As(context.Background(), "somebody"), w.ships[s.Ship]
	image := batuta.Image{Repository: "registry.test/stranger", Digest: "sha256:5"}
	i := deployer.Instance{
		Name: s.Instance, Service: "stranger", Ship: s.Ship, Image: image, Restart: "unless-stopped",
		Config: fmt.Sprintf("%064d", time.Since(w.began)),
	}
	if s.Host != 0 {
		i.Ports = []deployer.Port{{Name: "http", Container: 8080, Host: s.Host, Protocol: "tcp"}}
	}
	_ = ship.Pull(ctx, image)
	id, err := ship.Create(ctx, deployer.Scope{App: "other", Environment: "qa"}, 1, i)
	if err == nil && ship.Start(ctx, id) == nil { // it cannot if the port is taken
		w.mu.Lock()
		w.look()
		w.asFound[id] = true
		w.note("stranger %s (%s) on %s, host port %d", s.Instance, id, s.Ship, s.Host)
		w.mu.Unlock()
	}
}
