package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"batuta"
)

// lookAgain bounds how long a worker sleeps when nobody wakes it.
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
	p.sweep(ctx)
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
			if placed := p.work(ctx, run, lease); placed {
				<-p.places
			}
			p.Wake()
		})
	}
	runs.Wait()
	p.flush(ctx)
}

// sweep removes the trees of runs that ended in the moment in which an earlier
// server did.
func (p *Pipeline) sweep(ctx context.Context) {
	entries, err := os.ReadDir(p.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.Log.Error("look for old trees", "err", err)
	}
	for _, entry := range entries {
		id, err := strconv.ParseInt(entry.Name(), 10, 64)
		if err != nil {
			continue
		}
		run, err := p.Store.Run(ctx, batuta.RunID(id))
		if errors.Is(err, batuta.NotFound) || err == nil && run.Status.Ended() {
			_ = os.RemoveAll(p.dir(batuta.RunID(id))) // the next server tries again
		}
	}
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
// this one stops. It tells whether the run still has its place.
func (p *Pipeline) work(ctx context.Context, run batuta.Run, lease Lease) (placed bool) {
	p.pokePost() // that it runs
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
	if now, err := p.Store.Run(ctx, run.ID); err == nil && now.CancelBy != "" { // before it could be told here
		cancel(cancelled{now.CancelBy})
	}

	j := &journey{Pipeline: p, run: run, lease: lease, stopping: ctx.Done(), retries: p.Retries, placed: true}
	err := p.travel(own, j)
	status, why := p.verdict(own, j.run, err)
	if status == batuta.RunRunning || !p.end(ctx, lease, status, why) {
		p.Log.Info("run interrupted", "run", run.ID, "app", run.App, "why", why)
		return j.placed
	}
	if err := os.RemoveAll(p.dir(run.ID)); err != nil {
		p.Log.Error("remove the run's tree", "run", run.ID, "err", err)
	}
	p.Log.Info("run ended", "run", run.ID, "app", run.App, "kind", run.Kind, "status", status, "why", why)
	p.pokePost()
	if run.Push.Forge == byBase {
		p.pokeBases() // others may wait for it
	}
	return j.placed
}

// end saves how a run ended, however long the store needs to take it: a run
// that stayed running would be in the way of all that follow. It gives up, and
// says so, when the server stops or the run belongs to another.
func (p *Pipeline) end(ctx context.Context, l Lease, status batuta.RunStatus, why string) bool {
	for {
		err := p.Store.EndRun(context.WithoutCancel(ctx), l, status, why)
		if err == nil {
			return true
		}
		p.Log.Error("end run", "run", l.Run, "err", err)
		if ctx.Err() != nil || errors.Is(err, batuta.Conflict) || errors.Is(err, batuta.NotFound) {
			return false
		}
		pause(ctx, lookAgain)
	}
}

// travel is the run, by its kind. A panic fails the run, not the server.
func (p *Pipeline) travel(ctx context.Context, j *journey) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &batuta.Error{Kind: batuta.Internal, Message: fmt.Sprintf("panic: %v", r)}
			p.Log.Error("run panicked", "run", j.run.ID, "panic", r, "stack", string(debug.Stack()))
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
	c, byPerson := errors.AsType[cancelled](context.Cause(ctx))
	switch {
	case err == nil:
		return batuta.RunSucceeded, ""
	case byPerson && (errors.Is(err, context.Canceled) || errors.Is(err, errStopping)):
		return batuta.RunCancelled, c.Error()
	case byPerson || errors.As(err, &c):
		return batuta.RunCancelled, p.Apps[run.App].redact(explain(err))
	case errors.Is(err, errStopping):
		return batuta.RunRunning, err.Error()
	case errors.As(err, &skip):
		return batuta.RunSkipped, skip.Error()
	}
	return batuta.RunFailed, p.Apps[run.App].redact(explain(err))
}

// Cancel ends a queued run, or has a running one stop at its next safe point,
// by this server or by the next.
func (p *Pipeline) Cancel(ctx context.Context, id batuta.RunID, by string) error {
	queued, err := p.Store.Cancel(ctx, id, by)
	if err != nil || queued {
		p.pokePost()
		p.pokeBases() // others may have waited for it
		return err
	}
	p.mu.Lock()
	cancel, here := p.cancels[id]
	p.mu.Unlock()
	if here {
		p.announce(id, by+" cancels the run: what it does ends, and what a deployment has begun is put back\n")
		cancel(cancelled{by})
		return nil
	}
	run, err := p.Store.Run(ctx, id)
	if err == nil && run.Status.Ended() {
		err = &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("run %d has ended: it %s", id, run.Status)}
	}
	return err
}

// announce says in a run's log that it is being cancelled, as the step in
// progress may take a while to come to its end. What cannot be said there is
// in the audit trail.
func (p *Pipeline) announce(id batuta.RunID, text string) {
	log, err := p.Logs.Append(id, "cancel")
	if err == nil {
		_, err = io.WriteString(log, text)
		err = errors.Join(err, log.Close())
	}
	if err != nil {
		p.Log.Error("write the log", "run", id, "err", err)
	}
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
