package trial

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"batuta"
)

// The labels of what a test makes on its Engine.
const (
	labelTest   = "batuta.test"
	labelRun    = "batuta.run"
	labelServer = "batuta.server" // whose test it is
	labelLife   = "batuta.life"   // of the process that made it
)

// cleanTimeout bounds how long a test takes to be cleared away.
const cleanTimeout = 30 * time.Second

// Runner runs tests on one Engine. Its methods may be called at the same time.
type Runner struct {
	engine Engine
	owner  string
	life   string
	places chan struct{}
}

// New gives a runner for the tests of an owner, which is one process at a time:
// what an earlier one left is Sweep's. At most atOnce tests run at the same
// time, the others wait.
func New(e Engine, owner string, atOnce int) *Runner {
	return &Runner{engine: e, owner: owner, life: rand.Text(), places: make(chan struct{}, max(atOnce, 1))}
}

// Test pulls what the test needs and makes as many attempts as it may have.
// The error is of what kept the last one from running: Unhealthy if that was a
// service, or the time; a test that ran and did not pass is in the report.
func (r *Runner) Test(ctx context.Context, q Request, log io.Writer) (Report, error) {
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
	for _, name := range slices.Sorted(maps.Keys(q.Images)) {
		if err := r.engine.Pull(ctx, q.Images[name]); err != nil {
			return Report{}, fmt.Errorf("image %s: %w", name, err)
		}
	}
	began := time.Now()
	for n := 1; ; n++ {
		report, err := r.attempt(ctx, q, log)
		report.Attempts, report.Took = n, time.Since(began)
		again := err == nil && !report.Passed || errors.Is(err, batuta.Unhealthy)
		if !again || n > q.Test.Retries || ctx.Err() != nil {
			return report, err
		}
		if err != nil {
			fmt.Fprintln(log, err)
		}
		fmt.Fprintf(log, "test %s has not passed: attempt %d of %d\n", q.Test.Name, n+1, q.Test.Retries+1)
	}
}

// attempt makes one attempt in a network of its own, which is gone afterwards
// with all that is in it.
func (r *Runner) attempt(ctx context.Context, q Request, log io.Writer) (report Report, err error) {
	if err := os.RemoveAll(q.Artifacts); err != nil { // of an attempt before
		return Report{}, fmt.Errorf("make room for the artifacts: %w", err)
	}
	labels := map[string]string{labelTest: q.Test.Name, labelRun: fmt.Sprint(q.Run), labelServer: r.owner, labelLife: r.life}
	a := &attempt{engine: r.engine, request: q, labels: labels, log: log, services: map[string]string{}}
	defer func() {
		work, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
		defer cancel()
		err = errors.Join(err, a.clear(work))
	}()
	late := &batuta.Error{Kind: batuta.Unhealthy, Message: fmt.Sprintf("test %s: not over after %s", q.Test.Name, q.Test.Timeout), Hint: "raise its timeout, if it needs longer"}
	limited, cancel := context.WithTimeoutCause(ctx, q.Test.Timeout, late)
	defer cancel()
	report, err = a.run(limited)
	if ctx.Err() != nil {
		return report, ctx.Err()
	}
	if limited.Err() != nil && err != nil {
		err = late
	}
	if a.test == "" {
		return report, err
	}
	if !report.Passed {
		a.tellServices(ctx)
	}
	return report, errors.Join(err, a.collect(ctx, &report))
}

// Sweep removes what the owner's earlier processes left on the Engine.
func (r *Runner) Sweep(ctx context.Context) error {
	containers, networks, err := r.engine.Trials(ctx, labelServer, r.owner)
	if err != nil {
		return err
	}
	var all []error
	for _, c := range containers {
		if c.Labels[labelLife] != r.life {
			all = append(all, r.engine.Remove(ctx, c.ID))
		}
	}
	for _, n := range networks {
		if n.Labels[labelLife] != r.life {
			all = append(all, r.engine.RemoveTrialNetwork(ctx, n.ID))
		}
	}
	return errors.Join(all...)
}
