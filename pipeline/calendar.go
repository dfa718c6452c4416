package pipeline

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"batuta"
)

// lookAtClock is how long the schedules are let be at most: clocks are set.
const lookAtClock = 30 * time.Second

// punctual is how late a run by the clock may start without counting as
// missed.
const punctual = time.Minute

// Schedule starts what is due, by the clock and by looking at repositories,
// and has runs stop that a newer push cancels, until ctx ends.
func (p *Pipeline) Schedule(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { p.followClock(ctx) })
	loops.Go(func() { p.followRepositories(ctx) })
	loops.Go(func() { p.followBases(ctx) })
	loops.Wait()
}

// followClock starts what is due.
func (p *Pipeline) followClock(ctx context.Context) {
	for ctx.Err() == nil {
		woken := p.wakeup()
		p.cancelAsked(ctx)
		now := time.Now()
		next, err := p.ring(ctx, now)
		if err != nil && ctx.Err() == nil {
			p.Log.Error("follow the schedules", "err", err)
		}
		wait := time.NewTimer(min(next.Sub(now), lookAtClock))
		select {
		case <-wait.C:
		case <-woken:
		case <-ctx.Done():
		}
		wait.Stop()
	}
}

// cancelAsked has runs stop that are to be cancelled and may not have heard.
func (p *Pipeline) cancelAsked(ctx context.Context) {
	asked, err := p.Store.ToCancel(ctx)
	if err != nil {
		return // the next look finds them
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, by := range asked {
		if cancel, here := p.cancels[id]; here {
			cancel(cancelled{by})
		}
	}
}

// ring accepts a run for every schedule that is due, and tells when the next
// one is.
func (p *Pipeline) ring(ctx context.Context, now time.Time) (time.Time, error) {
	next := now.Add(lookAtClock)
	agendas, err := p.Store.Agendas(ctx)
	if err != nil {
		return next, err
	}
	for _, app := range slices.Sorted(maps.Keys(agendas)) {
		if _, known := p.Apps[app]; !known || len(agendas[app].On.Cron) == 0 {
			continue
		}
		followed, err := p.Store.Followed(ctx, app)
		if err != nil {
			return next, err
		}
		for _, c := range agendas[app].On.Cron {
			at, err := p.follow(ctx, app, c, followed, now)
			if err != nil {
				return next, err
			}
			if at.Before(next) {
				next = at
			}
		}
	}
	return next, nil
}

// follow accepts a run if the schedule is due, one for all times that went by,
// and tells when it is due next. A schedule that is new begins now.
func (p *Pipeline) follow(ctx context.Context, app batuta.AppName, c CronTrigger, followed map[string]time.Time, now time.Time) (time.Time, error) {
	key := strings.TrimSpace(c.Schedule + " " + c.Zone + " " + c.Ref)
	since, known := followed[key]
	if !known {
		since = now
		if err := p.Store.Follow(ctx, app, key, since); err != nil {
			return now, err
		}
	}
	due, next := c.due(since, now)
	if due.IsZero() {
		return next, nil
	}
	if c.Missed == MissedOnce || now.Sub(due) <= punctual {
		_, err := p.Deliver(ctx, batuta.Push{
			App: app, Forge: byClock, Delivery: key + " " + due.UTC().Format(time.RFC3339),
			Ref: c.Ref, Sender: byClock, Received: now,
		})
		if err != nil {
			return now, err
		}
	}
	return next, p.Store.Follow(ctx, app, key, due)
}

// due is the last time between two instants at which the trigger was due, zero
// if there is none, and the first time after them.
func (c CronTrigger) due(since, now time.Time) (last, next time.Time) {
	times, err := c.timetable()
	if err != nil { // an older binary took it
		return last, now.Add(lookAtClock)
	}
	for {
		at := times.next(since)
		if at.IsZero() { // the 30th of February
			return last, now.Add(lookAtClock)
		}
		if at.After(now) {
			return last, at
		}
		since, last = at, at
	}
}
