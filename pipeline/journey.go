package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"batuta"
)

// journey is one run on its way: what is saved of it, and where to save more.
type journey struct {
	*Pipeline
	app      App
	run      batuta.Run
	lease    Lease
	stopping <-chan struct{} // closed when the server stops; steps that can be resumed end with it
	retries  int             // further attempts of a step when something outside does not answer
	placed   bool            // it counts among the runs that are worked on

	fetching  sync.Mutex // of the run's tree
	committed time.Time  // when the run's revision was; its images are dated by it
}

// skipped ends a run that is not wanted.
type skipped struct{ why string }

func (s skipped) Error() string { return s.why }

// trait is how a step may be treated.
type trait int

const (
	// repeatable steps stop when the server stops, and are tried again when
	// something outside does not answer.
	repeatable trait = iota
	// whole steps are brought to their end once begun.
	whole
)

// step does one part of a run under its name, or, if the run did it before,
// gives what it returned then. What it prints goes to the step's log, what it
// returns is saved. Its effect must be idempotent: a step that was interrupted
// is entered again.
func step[T any](ctx context.Context, j *journey, name string, as trait, do func(ctx context.Context, log io.Writer) (T, error)) (T, error) {
	var result T
	s := j.begin(name)
	switch {
	case s.Status == batuta.StepSucceeded:
		return result, json.Unmarshal(s.Output, &result)
	case s.Status == batuta.StepCancelled:
		return result, cancelled{j.run.CancelBy}
	case s.Status == batuta.StepFailed:
		return result, errors.New(s.Error)
	case ctx.Err() != nil:
		return result, context.Cause(ctx)
	case j.stops():
		return result, errStopping
	}
	if err := j.save(ctx, s); err != nil {
		return result, err
	}
	log, err := j.Logs.Append(j.run.ID, name)
	if err != nil {
		return result, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer log.Close()
	out := j.app.redacting(log)
	defer out.Close()

	work, stop := ctx, context.CancelFunc(func() {})
	if as == repeatable {
		work, stop = until(ctx, j.stopping)
	}
	defer stop()
	for try := 0; ; try++ {
		result, err = do(work, out)
		if as == whole || try >= j.retries || !errors.Is(err, batuta.Unavailable) || work.Err() != nil {
			break
		}
		fmt.Fprintf(out, "%v\ntrying again in %v\n", err, j.Backoff<<try)
		pause(work, j.Backoff<<try)
		s.Attempt++
	}
	return result, j.end(ctx, s, out, result, err)
}

// begin is the step as it was saved, or a new one. One that was running was
// interrupted, and begins another attempt; one that ended stays as it is.
func (j *journey) begin(name string) batuta.Step {
	i := slices.IndexFunc(j.run.Steps, func(s batuta.Step) bool { return s.Name == name })
	if i < 0 {
		return batuta.Step{Name: name, Status: batuta.StepRunning, Attempt: 1, Started: time.Now()}
	}
	s := j.run.Steps[i]
	if s.Status == batuta.StepRunning {
		s.Attempt++
	}
	return s
}

// end saves how the step ended, and returns its error as the run's.
func (j *journey) end(ctx context.Context, s batuta.Step, log io.Writer, result any, err error) error {
	s.Ended = time.Now()
	switch {
	case err == nil:
		s.Status = batuta.StepSucceeded
		if s.Output, err = json.Marshal(result); err != nil {
			return fmt.Errorf("save %s: %w", s.Name, err)
		}
		return j.save(ctx, s)
	case ctx.Err() == nil && j.stops() && (errors.Is(err, context.Canceled) || errors.Is(err, errStopping)):
		fmt.Fprintln(log, "interrupted: the server is stopping")
		return errStopping
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		s.Status, s.Error = batuta.StepCancelled, context.Cause(ctx).Error()
	case ctx.Err() != nil:
		s.Status, s.Error = batuta.StepCancelled, j.app.redact(explain(err))
	default:
		s.Status, s.Error = batuta.StepFailed, j.app.redact(explain(err))
	}
	fmt.Fprintln(log, s.Error)
	if saved := j.save(ctx, s); saved != nil {
		return saved
	}
	return err
}

// save writes the step down, also when the run is being cancelled.
func (j *journey) save(ctx context.Context, s batuta.Step) error {
	err := j.insist(func() error { return j.Store.SaveStep(context.WithoutCancel(ctx), j.lease, s) })
	if err != nil {
		return fmt.Errorf("save step %s: %w", s.Name, err)
	}
	return nil
}

// insist writes down what has happened, however long the store takes to take
// it, as while its disk is full: what is not known to have happened would be
// taken for not done. If the server stops meanwhile, the next one finds the
// run where it was saved last.
func (j *journey) insist(write func() error) error {
	for {
		err := write()
		if !errors.Is(err, batuta.Unavailable) {
			return err
		}
		j.Log.Error("save what a run did", "run", j.run.ID, "err", err)
		select {
		case <-time.After(lookAgain):
		case <-j.stopping:
			return errors.Join(errStopping, err)
		}
	}
}

// stops tells whether the server is stopping.
func (j *journey) stops() bool {
	select {
	case <-j.stopping:
		return true
	default:
		return false
	}
}

// until is a context that ends with ctx, or when stopping is closed. The
// caller must call the function, which also ends what watches.
func until(ctx context.Context, stopping <-chan struct{}) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-stopping:
			cancel()
		case <-work.Done():
		}
	}()
	return work, func() { cancel(); <-watched }
}

// pause waits for d, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
