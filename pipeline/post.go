package pipeline

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"batuta"
)

// A letter that nobody takes is tried again after firstWait times the
// pipeline's Backoff, each time after twice the time and at least every
// mostWait, until it is keepTrying old.
const (
	letterTimeout = 20 * time.Second // of one attempt
	letterGrace   = 2 * time.Second  // of an attempt under way when the server stops
	firstWait     = 5
	mostWait      = 30 * time.Minute
	keepTrying    = 72 * time.Hour
	postsAtOnce   = 16
	lookForMail   = 30 * time.Second // at what another server may have left or postponed
)

// Letter is a notice for one addressee, to be delivered.
type Letter struct {
	Notice

	ID    int64  // unique in the outbox, and the same each time that it is tried
	To    string // who Notifier.Addressees named
	Tries int    // this one included
}

// postponed is an error that says when it is worth trying again.
type postponed interface {
	error
	RetryAfter() time.Duration
}

// Post delivers what the outbox has until ctx ends. Addressees do not wait for
// each other, and each gets what is about one app in order; what cannot be
// delivered is tried again and given up in the end, which is a line in the
// audit trail. No run waits for any of it.
func (p *Pipeline) Post(ctx context.Context) {
	if p.Notifier == nil {
		return
	}
	var letters sync.WaitGroup
	busy := &addressees{}
	for ctx.Err() == nil {
		woken := p.wakeup()
		l, err := p.Store.ClaimLetter(ctx, busy.all())
		if err != nil {
			p.restPost(ctx, woken, err)
			continue
		}
		busy.add(l.To)
		letters.Go(func() {
			p.post(ctx, l)
			busy.remove(l.To)
			p.pokePost()
		})
		for busy.full() && ctx.Err() == nil {
			p.restPost(ctx, nil, batuta.NotFound)
		}
	}
	letters.Wait()
}

// restPost waits until there may be something to deliver.
func (p *Pipeline) restPost(ctx context.Context, woken <-chan struct{}, err error) {
	if !errors.Is(err, batuta.NotFound) && ctx.Err() == nil {
		p.Log.Error("take a letter from the outbox", "err", err)
	}
	wait := time.NewTimer(lookForMail)
	defer wait.Stop()
	select {
	case <-p.mail:
	case <-woken:
	case <-wait.C:
	case <-ctx.Done():
	}
}

// pokePost has the outbox looked at now.
func (p *Pipeline) pokePost() {
	select {
	case p.mail <- struct{}{}:
	default: // it will be
	}
}

// post makes one attempt to deliver a letter, and saves what came of it. If
// the server stops, an attempt under way has a moment to end.
func (p *Pipeline) post(ctx context.Context, l Letter) {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), letterTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		pause(own, letterGrace)
		cancel()
	})()
	err := p.Notifier.Deliver(own, l)
	if err != nil && ctx.Err() != nil && own.Err() != nil {
		return // the next server tries it again
	}
	for {
		failure := p.settle(context.WithoutCancel(ctx), l, err)
		if failure == nil || ctx.Err() != nil {
			return
		}
		p.Log.Error("note what became of a letter", "to", l.To, "notice", l.Key(), "err", failure)
		pause(ctx, lookAgain)
	}
}

// settle saves what came of an attempt.
func (p *Pipeline) settle(ctx context.Context, l Letter, err error) error {
	if err == nil {
		return p.Store.EndLetter(ctx, l, "")
	}
	wait := min(firstWait*p.Backoff<<min(l.Tries-1, 20), mostWait)
	if later, ok := errors.AsType[postponed](err); ok {
		wait = min(max(wait, later.RetryAfter()), keepTrying)
	}
	if !errors.Is(err, batuta.Unavailable) || time.Since(l.At) > keepTrying {
		p.Log.Error("a notice is given up", "to", l.To, "notice", l.Key(), "app", l.App, "tries", l.Tries, "err", err)
		return p.Store.EndLetter(ctx, l, err.Error())
	}
	p.Log.Warn("a notice was not taken", "to", l.To, "notice", l.Key(), "app", l.App, "tries", l.Tries, "again in", wait, "err", err)
	if err := p.Store.PostponeLetter(ctx, l, time.Now().Add(wait), err.Error()); err != nil {
		return err
	}
	time.AfterFunc(wait, p.pokePost) // which does nothing if Post has ended
	return nil
}

// tell leaves a notice for those who want to know, and says in the log that it
// cannot.
func (p *Pipeline) tell(ctx context.Context, n Notice) {
	p.logNotice(n)
	if err := p.Store.Tell(ctx, n); err != nil && ctx.Err() == nil {
		p.Log.Error("leave a notice", "notice", n.Key(), "err", err)
	}
	p.pokePost()
}

// logNotice writes what the operator should know, too.
func (p *Pipeline) logNotice(n Notice) {
	p.Log.Warn(string(n.Kind), "app", n.App, "environment", n.Environment, "ship", n.Ship, "run", n.Run, "text", n.Text)
}

// addressees is those who are being told something.
type addressees struct {
	mu    sync.Mutex
	names []string
}

func (a *addressees) add(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.names = append(a.names, name)
}

func (a *addressees) remove(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.names = slices.DeleteFunc(a.names, func(n string) bool { return n == name })
}

func (a *addressees) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.names)
}

func (a *addressees) full() bool { return len(a.all()) >= postsAtOnce }
