package pipeline

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta/deployer"
)

// ailing is which containers did not pass their checks when they were asked
// last.
type ailing struct {
	mu  sync.Mutex
	ids map[deployer.Scope]map[string]bool
}

// turn notes how the containers of an environment are now, and tells of which
// that is news.
func (a *ailing) turn(s deployer.Scope, now map[string]bool) (news map[string]bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	news = map[string]bool{}
	for id, ails := range now {
		news[id] = ails != a.ids[s][id]
	}
	a.ids[s] = now
	return news
}

// examine asks what is live whether it still passes its checks, and keeps in
// the history when that changes.
func (p *Pipeline) examine(ctx context.Context, s deployer.Scope, v view, plan deployer.Plan) error {
	why := make([]error, len(plan.Changes))
	var all errgroup.Group
	all.SetLimit(checksAtOnce)
	for n, c := range plan.Changes {
		all.Go(func() error {
			why[n] = p.Fleet.Ails(ctx, c)
			return nil
		})
	}
	_ = all.Wait() // none gives an error
	if busy, err := p.busy(ctx, s); busy || err != nil || ctx.Err() != nil {
		return err // it may have been stopped meanwhile
	}
	now := map[string]bool{}
	for n, c := range plan.Changes {
		if c.Action == deployer.Keep {
			now[c.Container] = why[n] != nil
		}
	}
	news := p.ailing.turn(s, now)
	for n, c := range plan.Changes {
		if news[c.Container] {
			p.history.add(p.turned(s, v, c, why[n]))
		}
	}
	return nil
}

// turned is that an instance does not pass its checks any more, or does again.
func (p *Pipeline) turned(s deployer.Scope, v view, c deployer.Change, why error) Event {
	e := Event{
		At: time.Now(), App: s.App, Environment: s.Environment, Kind: deployer.Ready, Ship: c.Ship, Service: c.Service, Instance: c.Instance,
		Container: c.Container, Release: v.container(c.Container).Release, Teller: ToldByServer,
	}
	if why != nil {
		e.Kind, e.Text = deployer.Unready, p.Apps[s.App].redact(why.Error())
	}
	return e
}
