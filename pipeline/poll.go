package pipeline

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/internal/gitremote"
)

// The repositories that are looked at at the same time, how long one may take
// to answer, and how often it is looked whether one is due.
const (
	pollsAtOnce = 4
	pollTimeout = time.Minute
	pollTick    = time.Second
)

// followRepositories looks at the repositories that are to be polled, each in
// its own time. The embedded remote tells by itself what is pushed to it.
func (p *Pipeline) followRepositories(ctx context.Context) {
	last := map[batuta.AppName]time.Time{}
	for ctx.Err() == nil && p.Remote != nil {
		agendas, err := p.Store.Agendas(ctx)
		if err != nil && ctx.Err() == nil {
			p.Log.Error("look at repositories", "err", err)
		}
		var polls errgroup.Group
		polls.SetLimit(pollsAtOnce)
		for _, name := range slices.Sorted(maps.Keys(p.Apps)) {
			agenda := p.agenda(name, agendas)
			if agenda.On.Poll == 0 || filepath.IsAbs(p.Apps[name].Repository.URL) || time.Since(last[name]) < agenda.On.Poll {
				continue
			}
			last[name] = time.Now()
			polls.Go(func() error {
				if err := p.poll(ctx, p.Apps[name], agenda.On); err != nil && ctx.Err() == nil {
					p.Log.Error("look at the repository", "app", name, "err", p.Apps[name].redact(err.Error()))
				}
				return nil
			})
		}
		_ = polls.Wait()
		pause(ctx, pollTick)
	}
}

// agenda is what starts an app's runs: by its recipe, or, of one that has had
// no run yet, by server.yml alone.
func (p *Pipeline) agenda(app batuta.AppName, kept map[batuta.AppName]Agenda) Agenda {
	a, ok := kept[app]
	if !ok {
		a.On.Push.Branches = defaultBranches()
	}
	if a.On.Poll == 0 {
		a.On.Poll = p.Apps[app].Poll
	}
	return a
}

// poll looks where a repository's refs are, and takes in what moved as a push.
// At the first look only the default branch counts: what else is there may be
// old.
func (p *Pipeline) poll(ctx context.Context, app App, on Triggers) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	now, err := p.Remote.Refs(ctx, app.Repository)
	if err != nil {
		return err
	}
	known, err := p.Store.Refs(ctx, app.Name)
	if err != nil {
		return err
	}
	silent := map[string]batuta.Revision{}
	for ref, was := range known {
		if _, there := now.Tips[ref]; !there && was.Revision != "" {
			silent[ref] = ""
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(now.Tips)) {
		tip, was := now.Tips[ref], known[ref]
		if tip == was.Revision {
			continue
		}
		wanted, _ := Recipe{On: on}.Wants(ref)
		if !wanted || len(known) == 0 && ref != now.Default {
			silent[ref] = tip
			continue
		}
		if err := p.moved(ctx, app, ref, tip, was, silent); err != nil {
			return err
		}
	}
	return p.Store.RecordRefs(ctx, app.Name, silent)
}

// moved takes in a ref that moved, unless a webhook told of it. One that was
// gone and is back is pushed anew, wherever it is.
func (p *Pipeline) moved(ctx context.Context, app App, ref string, tip batuta.Revision, was gitremote.RefState, silent map[string]batuta.Revision) error {
	_, newest, err := p.Store.Reached(ctx, app.Name, ref)
	if err != nil {
		return err
	}
	deleted := was.Serial > 0 && was.Revision == "" // when it was looked at last
	if newest == tip && !deleted {
		silent[ref] = tip
		return nil
	}
	serial := was.Serial + 1
	_, err = p.Store.DeliverRef(ctx, batuta.Push{
		App: app.Name, Forge: byPoll, Delivery: fmt.Sprintf("%s#%d", strings.TrimPrefix(ref, "refs/"), serial),
		Ref: ref, Before: was.Revision, Revision: tip, Sender: byPoll, Received: time.Now(),
	}, serial)
	if err == nil {
		p.Wake()
	}
	return err
}
