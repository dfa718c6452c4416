package pipeline

import (
	"context"
	"sync"
	"time"

	"batuta"
	"batuta/deployer"
)

const (
	gather  = 200 * time.Millisecond // how long events wait for others to be written with
	maxHeld = 20_000                 // events that wait while the store does not answer; the oldest go first
)

// recorder holds events until they are written. Whoever adds one never waits.
type recorder struct {
	mu   sync.Mutex
	held []Event
	more chan struct{} // holds one
}

func newRecorder() *recorder { return &recorder{more: make(chan struct{}, 1)} }

func (r *recorder) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = append(r.held, e)
	if len(r.held) > maxHeld {
		r.held = r.held[len(r.held)-maxHeld:]
	}
	select {
	case r.more <- struct{}{}:
	default: // it is known
	}
}

func (r *recorder) take() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.held
	r.held = nil
	return all
}

// keepHistory writes what comes together until ctx ends.
func (p *Pipeline) keepHistory(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-p.history.more:
		case <-ctx.Done():
		}
		pause(ctx, gather)
		p.flush(ctx)
	}
}

// flush writes the events that wait. What cannot be written waits on.
func (p *Pipeline) flush(ctx context.Context) {
	events := p.history.take()
	if len(events) == 0 {
		return
	}
	if err := p.Store.Record(context.WithoutCancel(ctx), events, p.KeepEvents); err != nil {
		p.Log.Error("write the history", "events", len(events), "err", err)
		for _, e := range events {
			p.history.add(e)
		}
		pause(ctx, lookAgain)
	}
}

// happened keeps what a deployment tells of an instance.
func (j *journey) happened(env batuta.EnvironmentName, r batuta.ReleaseNumber, e deployer.Event) {
	if e.Kind == "" || e.Instance == "" {
		return
	}
	release := e.Release
	if release == 0 {
		release = r
	}
	j.history.add(Event{
		At: e.At, App: j.app.Name, Environment: env, Kind: e.Kind, Ship: e.Ship, Service: e.Service, Instance: e.Instance,
		Container: e.Container, Release: release, ExitCode: e.ExitCode, Text: j.app.redact(e.Text), Teller: ToldByDeployment,
	})
}

// History lists what happened to the instances of an environment, or of all
// of the app's if env is empty, newest first.
func (p *Pipeline) History(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, f EventFilter) ([]Event, error) {
	if _, err := p.app(app); err != nil {
		return nil, err
	}
	return p.Store.History(ctx, app, env, f)
}
