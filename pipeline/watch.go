package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"batuta"
	"batuta/deployer"
)

// Watch listens to all ships until ctx ends: what happens on them goes into
// the history, and one that does not answer any more, or does again, is told
// at once. A ship that does not answer is in nobody's way.
func (p *Pipeline) Watch(ctx context.Context) {
	records, err := p.Store.Ships(ctx)
	if err != nil && ctx.Err() == nil {
		p.Log.Error("look up the ships", "err", err)
	}
	var all sync.WaitGroup
	for name, ship := range p.Ships {
		w := &watched{Pipeline: p, name: name, ship: ship.Reporter, silent: records[name].Silent, poke: make(chan struct{}, 1)}
		all.Go(func() { w.pulse(ctx) })
		all.Go(func() { w.listen(ctx, records[name].Heard) })
	}
	all.Go(func() { p.keepHistory(ctx) })
	all.Wait()
}

// watched is one ship that is listened to.
type watched struct {
	*Pipeline
	name   batuta.ShipName
	ship   Reporter
	silent time.Time     // since when it has not answered, as it is saved
	poke   chan struct{} // asks for a pulse now; holds one
}

// pulse asks the ship every so often whether it is there.
func (w *watched) pulse(ctx context.Context) {
	for ctx.Err() == nil {
		w.feel(ctx)
		select {
		case <-w.poke:
		case <-time.After(w.Pulse):
		case <-ctx.Done():
		}
	}
}

// feel asks the ship once, and once more before it counts as lost.
func (w *watched) feel(ctx context.Context) {
	began := time.Now()
	_, err := put(ctx, askShip, w.ship.Taken)
	if errors.Is(err, batuta.Unavailable) && w.silent.IsZero() {
		_, err = put(ctx, askShip, w.ship.Taken)
	}
	gone := errors.Is(err, batuta.Unavailable)
	if ctx.Err() != nil || gone == !w.silent.IsZero() {
		return
	}
	silent, why := time.Time{}, ""
	if gone {
		silent, why = began, err.Error()
	}
	news, err := w.Store.HearShip(ctx, w.name, silent, why)
	if err != nil {
		w.Log.Error("note whether a ship answers", "ship", w.name, "err", err)
		return
	}
	w.silent = silent
	if news {
		w.logNotice(NoticeOfShip(w.name, silent, why))
		w.pokePost()
		w.lookAround()
	}
}

// listen keeps what the ship tells of its containers, from where it was heard
// last.
func (w *watched) listen(ctx context.Context, since time.Time) {
	if since.IsZero() {
		since = time.Now()
	}
	for ctx.Err() == nil {
		err := w.ship.Watch(ctx, since, func(o deployer.Occurrence) {
			since = o.At
			if _, ours := w.Apps[o.Scope.App]; ours {
				w.history.add(told(w.name, o))
			}
		})
		if errors.Is(err, errors.ErrUnsupported) {
			return
		}
		select {
		case w.poke <- struct{}{}:
		default: // it is asked anyway
		}
		pause(ctx, w.Pulse)
	}
}

// told is what a ship tells, as an event of the history.
func told(ship batuta.ShipName, o deployer.Occurrence) Event {
	e := Event{
		At: o.At, App: o.Scope.App, Environment: o.Scope.Environment, Kind: o.Kind, Ship: ship, Service: o.Service,
		Instance: o.Instance, Container: o.Container, Release: o.Release, ExitCode: o.ExitCode, OOMKilled: o.OOMKilled, Teller: ToldByShip,
	}
	switch {
	case o.OOMKilled:
		e.Text = fmt.Sprintf("exit code %d, out of memory", o.ExitCode)
	case o.Kind == deployer.Crashed || o.Kind == deployer.Stopped:
		e.Text = fmt.Sprintf("exit code %d", o.ExitCode)
	}
	return e
}
