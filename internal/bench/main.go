// Command bench measures Batuta against the least that could do the same work,
// side by side in one run, and prints the ratios:
//
//	bench [-only push,webhook,queue,idle,fleet,scale] [-rounds N] [-deliveries N] [-log]
//
//	push     a push that was accepted becomes a QA that answers, against git
//	         clone, buildctl, docker pull, docker run and a poll
//	webhook  a signed delivery is durably kept, against a handler that checks
//	         the signature and commits one row
//	queue    how soon what was pushed is begun: alone, behind a thousand others,
//	         and what becomes of ten thousand pushes at once
//	idle     the memory of a server that has nothing to do, and its size
//	fleet    containers started, looked at, replaced and stopped, against the
//	         docker command line, and three ships against one
//	scale    plans and status of large fleets in memory, and what one instance
//	         costs as they grow
//
// Both sides take turns, so that what else the machine does hurts them alike;
// a figure is the median of all rounds, with the quartiles beside it. It runs
// in the checkout, on the test lab (internal/lab), and removes what it started,
// also when it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measurement is one thing to measure, by the name that -only knows.
type measurement struct {
	name string
	take func(context.Context, *bench) ([]row, error)
}

var measurements = []measurement{{"push", measurePush}, {"webhook", measureWebhook}, {"queue", measureQueue}, {"idle", measureIdle}, {"fleet", measureFleet}, {"scale", measureScale}}

// options is what the command line says.
type options struct {
	only       []string
	rounds     int // of each side
	deliveries int // in each round of each side
	log        bool
}

func parse(args []string) (options, error) {
	var o options
	var only string
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.StringVar(&only, "only", "push,webhook,queue,idle,fleet,scale", "what to measure")
	set.IntVar(&o.rounds, "rounds", 9, "how often each side takes its turn")
	set.IntVar(&o.deliveries, "deliveries", 2000, "how many deliveries a turn of webhook has")
	set.BoolVar(&o.log, "log", false, "show the log of each run of push, to see where its time goes")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	o.only = strings.Split(only, ",")
	for _, name := range o.only {
		if !slices.ContainsFunc(measurements, func(m measurement) bool { return m.name == name }) {
			return o, fmt.Errorf("-only %s: no such measurement", name)
		}
	}
	if o.rounds < 1 || o.deliveries < clients {
		return o, fmt.Errorf("at least one round, and %d deliveries", clients)
	}
	return o, nil
}

// cleanTime bounds how long it takes to remove what was started.
const cleanTime = time.Minute

// run measures what is asked for, and cleans up whatever comes of it.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer func() {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // what broke off because of it does not matter
		}
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		err = errors.Join(err, b.close(clean))
	}()
	return b.measure(ctx, out)
}

// measure prints each result when it is there.
func (b *bench) measure(ctx context.Context, out io.Writer) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, machine())
	for _, m := range measurements {
		if !slices.Contains(b.only, m.name) {
			continue
		}
		rows, err := m.take(ctx, b)
		if err != nil {
			return fmt.Errorf("measure %s: %w", m.name, err)
		}
		if err := table(out, rows); err != nil {
			return err
		}
	}
	return nil
}
