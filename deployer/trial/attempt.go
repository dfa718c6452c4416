package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/deployer"
)

// attempt is one attempt at a test, and what it has made so far.
type attempt struct {
	engine  Engine
	request Request
	labels  map[string]string
	log     io.Writer

	mu       sync.Mutex
	network  string
	services map[string]string // containers, by the service's name
	test     string            // the test's container
}

// run starts the services, waits until they are ready, and runs the test.
func (a *attempt) run(ctx context.Context) (Report, error) {
	var err error
	if a.network, err = a.engine.MakeTrialNetwork(ctx, a.labels); err != nil {
		return Report{}, err
	}
	if err := a.startServices(ctx); err != nil {
		return Report{}, err
	}
	t := a.request.Test
	a.test, err = a.engine.CreateTrial(ctx, Container{
		Network: a.network, Alias: Alias, Image: a.request.Images[t.Image], Program: t.Run.Argv(),
		Env: t.Env, Dir: t.Dir, User: t.User, Labels: a.labels,
	})
	if err != nil {
		return Report{}, err
	}
	if err := a.engine.Start(ctx, a.test); err != nil {
		return Report{}, err
	}
	exit, err := a.follow(ctx)
	if exit.OOMKilled {
		fmt.Fprintln(a.log, "the test was ended because the memory ran out")
	}
	return Report{Passed: err == nil && exit.Code == 0, ExitCode: exit.Code}, err
}

// follow shows what the test prints until it ends.
func (a *attempt) follow(ctx context.Context) (deployer.Exit, error) {
	if err := a.engine.Logs(ctx, a.test, -1, true, a.log); err != nil {
		return deployer.Exit{}, err
	}
	return a.engine.Wait(ctx, a.test)
}

// startServices starts all at the same time. The first that fails ends it.
func (a *attempt) startServices(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range slices.Sorted(maps.Keys(a.request.Test.Services)) {
		group.Go(func() error {
			if err := a.startService(ctx, name); err != nil {
				return fmt.Errorf("service %s: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (a *attempt) startService(ctx context.Context, name string) error {
	s := a.request.Test.Services[name]
	id, err := a.engine.CreateTrial(ctx, Container{
		Network: a.network, Alias: name, Image: a.request.Images[s.Image], Command: s.Command.Argv(), Env: s.Env, Labels: a.labels,
	})
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.services[name] = id
	a.mu.Unlock()
	if err := a.engine.Start(ctx, id); err != nil || s.Ready == nil {
		return err
	}
	return a.await(ctx, id, *s.Ready)
}

// tailLines is how much is shown of what a service printed last.
const tailLines = 20

// tellServices shows what the services of a test that failed printed last.
func (a *attempt) tellServices(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(a.services)) {
		lines, err := a.engine.Tail(ctx, a.services[name], tailLines)
		if err != nil {
			lines = []string{err.Error()}
		}
		fmt.Fprintf(a.log, "the last lines of service %s:%s\n", name, indented(lines))
	}
}

// collect brings what the test left: its artifacts, and its reports.
func (a *attempt) collect(ctx context.Context, report *Report) error {
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	kept, err := a.keep(ctx)
	report.Kept = kept
	return errors.Join(err, a.readReports(ctx, report))
}

// clear removes what the attempt made.
func (a *attempt) clear(ctx context.Context) error {
	ids := slices.Collect(maps.Values(a.services))
	if a.test != "" {
		ids = append(ids, a.test)
	}
	all := make([]error, len(ids))
	var going sync.WaitGroup
	for i, id := range ids {
		going.Go(func() { all[i] = a.engine.Remove(ctx, id) })
	}
	going.Wait()
	if a.network != "" {
		all = append(all, a.engine.RemoveTrialNetwork(ctx, a.network))
	}
	return errors.Join(all...)
}

// indented is lines to stand below another.
func indented(lines []string) string {
	var text strings.Builder
	for _, line := range lines {
		text.WriteString("\n  " + line)
	}
	return text.String()
}

// ended is the error of a service that ended while it was waited for.
func ended(exit deployer.Exit, lines []string) error {
	text := fmt.Sprintf("it ended with exit code %d before it was ready", exit.Code)
	if exit.OOMKilled {
		text = "the memory ran out before it was ready"
	}
	if exit.Error != "" {
		text += ": " + exit.Error
	}
	return &batuta.Error{Kind: batuta.Unhealthy, Message: text + indented(lines)}
}
