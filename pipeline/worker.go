package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"batuta"
)

// lookAgain bounds how long a worker sleeps when nobody wakes it: another
// server on the same database may have put something into the queue.
const lookAgain = time.Second

// errStopping ends a step because the server stops. The step is entered again
// by the next server.
var errStopping = errors.New("the server is stopping")

// cancelled ends a step because a person said so.
type cancelled struct{ by string }

func (c cancelled) Error() string { return "cancelled by " + c.by }

// Work takes runs from the queue until ctx ends. Then builds and fetches in
// progress stop where they are, to be resumed by the next server; deployments
// in progress are finished; and Work returns.
func (p *Pipeline) Work(ctx context.Context) {
	var runs sync.WaitGroup
	for ctx.Err() == nil {
		woken := p.wakeup()
		select {
		case p.places <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		run, lease, err := p.Store.Claim(ctx)
		if err != nil {
			<-p.places
			p.rest(ctx, woken, err)
			continue
		}
		runs.Go(func() {
			p.work(ctx, run, lease)
			<-p.places
			p.Wake()
		})
	}
	runs.Wait()
}

// rest waits until there may be something to claim.
func (p *Pipeline) rest(ctx context.Context, woken <-chan struct{}, err error) {
	if !errors.Is(err, batuta.NotFound) && ctx.Err() == nil {
		p.Log.Error("take a run from the queue", "err", err)
	}
	select {
	case <-woken:
	case <-time.After(lookAgain):
	case <-ctx.Done():
	}
}

// work brings one run to its end, or leaves it running for the next server if
// this one stops.
func (p *Pipeline) work(ctx context.Context, run batuta.Run, lease Lease) {
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	p.mu.Lock()
	p.cancels[run.ID] = cancel
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.cancels, run.ID)
		p.mu.Unlock()
	}()

	j := &journey{Pipeline: p, run: run, lease: lease, stopping: ctx.Done()}
	err := p.travel(own, j)
	status, why := p.verdict(own, j.run, err)
	if status == batuta.RunRunning {
		p.Log.Info("run interrupted", "run", run.ID, "app", run.App, "why", why)
		return
	}
	if err := p.Store.EndRun(context.WithoutCancel(own), lease, status, why); err != nil {
		p.Log.Error("end run", "run", run.ID, "err", err)
		return
	}
	if err := os.RemoveAll(p.dir(run.ID)); err != nil {
		p.Log.Error("remove the run's tree", "run", run.ID, "err", err)
	}
	p.Log.Info("run ended", "run", run.ID, "app", run.App, "kind", run.Kind, "status", status, "why", why)
}

// travel is the run, by its kind. A panic fails the run, not the server.
func (p *Pipeline) travel(ctx context.Context, j *journey) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &batuta.Error{Kind: batuta.Internal, Message: fmt.Sprintf("panic: %v", r)}
			p.Log.Error("run panicked", "run", j.run.ID, "panic", r)
		}
	}()
	app, err := p.app(j.run.App)
	if err != nil {
		return err
	}
	j.app = app
	if j.run.Kind == batuta.RunPush {
		return j.push(ctx)
	}
	return j.order(ctx)
}

// verdict is what a run's error makes of the run.
func (p *Pipeline) verdict(ctx context.Context, run batuta.Run, err error) (batuta.RunStatus, string) {
	var skip skipped
	switch {
	case err == nil:
		return batuta.RunSucceeded, ""
	case errors.Is(err, errStopping):
		return batuta.RunRunning, err.Error()
	case errors.As(err, &skip):
		return batuta.RunSkipped, skip.Error()
	}
	if c, ok := errors.AsType[cancelled](context.Cause(ctx)); ok {
		return batuta.RunCancelled, c.Error()
	}
	return batuta.RunFailed, p.Apps[run.App].redact(explain(err))
}

// Cancel ends a queued run, or stops a running one at its next safe point.
func (p *Pipeline) Cancel(ctx context.Context, id batuta.RunID, by string) error {
	queued, err := p.Store.Cancel(ctx, id, by)
	if err != nil || queued {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if cancel, ok := p.cancels[id]; ok {
		cancel(cancelled{by})
		return nil
	}
	return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("run %d does not run", id)}
}

// dir is where a run keeps its tree while it runs.
func (p *Pipeline) dir(id batuta.RunID) string {
	return filepath.Join(p.Dir, fmt.Sprint(id))
}

// explain is an error as it is shown with a run: what happened, and what the
// person can do about it.
func explain(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*batuta.Error](err); ok && e.Hint != "" {
		text += "\n" + e.Hint
	}
	return text
}
