package trial

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
)

const (
	probePause   = 100 * time.Millisecond // between two looks at a service
	probeTimeout = 5 * time.Second        // of one look
)

// await returns when the service is ready. That it ended, or was not ready in
// time, is Unhealthy and tells what it printed last.
func (a *attempt) await(ctx context.Context, id string, ready Ready) error {
	check, err := ready.check()
	if err != nil {
		return err
	}
	look, stop := context.WithTimeout(ctx, ready.Timeout)
	defer stop()
	type end struct {
		exit deployer.Exit
		err  error
	}
	over := make(chan end, 1)
	go func() {
		defer stop()
		exit, err := a.engine.Wait(look, id)
		over <- end{exit, err}
	}()
	why := a.probe(look, id, check)
	stop()
	e := <-over
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case e.err == nil:
		lines, _ := a.engine.Tail(ctx, id, tailLines) // its end is what counts
		return ended(e.exit, lines)
	case why == nil:
		return nil
	}
	if !errors.Is(why, batuta.Unhealthy) {
		return why
	}
	lines, _ := a.engine.Tail(ctx, id, tailLines)
	return &batuta.Error{Kind: batuta.Unhealthy, Message: fmt.Sprintf("%s: not ready after %s: %v", check, ready.Timeout, why) + indented(lines)}
}

// probe looks until the check passes, or ctx ends: then it gives why it did
// not pass last. What only the Engine can be blamed for is looked at again,
// too.
func (a *attempt) probe(ctx context.Context, id string, check deployer.Check) error {
	var last error = &batuta.Error{Kind: batuta.Unhealthy, Message: "it was never asked"}
	for {
		err := a.engine.Probe(ctx, id, check)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return last
		}
		last = err
		select {
		case <-time.After(probePause):
		case <-ctx.Done():
			return last
		}
	}
}

// check is the way to be ready as one that a ship makes.
func (r Ready) check() (deployer.Check, error) {
	c := deployer.Check{Timeout: probeTimeout}
	switch {
	case r.TCP != 0:
		c.Type, c.Port = deployer.CheckTCP, r.TCP
	case r.HTTP != "":
		port, page, _ := strings.Cut(strings.TrimPrefix(r.HTTP, ":"), "/")
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return c, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a port and path", r.HTTP), Hint: "write :8080/health"}
		}
		c.Type, c.Port, c.Path = deployer.CheckHTTP, int(n), "/"+page
	default:
		c.Type, c.Command = deployer.CheckExec, r.Run.Argv()
	}
	return c, nil
}
