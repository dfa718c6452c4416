// Command lab runs programs within the test lab, and is its keeper.
//
//	lab run COMMAND …   prepare the lab, run a command, take the lab down
//	lab down            take the lab down, and clear what a killed one left
//	lab keep            be the keeper (package lab starts it)
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"batuta"
	"batuta/internal/lab"
	"batuta/internal/lab/keeper"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		os.Exit(max(1, ended.ExitCode()))
	case err != nil:
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "keep":
		return keep(ctx)
	case len(args) == 1 && args[0] == "down":
		return down(ctx)
	case len(args) > 1 && args[0] == "run":
		return within(ctx, args[1:])
	}
	return errors.New("usage: lab run COMMAND … | lab down | lab keep")
}

// keep finds the daemons where Debian installs them, which is not in
// everybody's PATH.
func keep(ctx context.Context) error {
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin"); err != nil {
		return err
	}
	return keeper.Run(ctx)
}

func down(ctx context.Context) error {
	l, err := lab.Open(ctx) // a keeper that starts clears what another left
	if err != nil {
		return err
	}
	return l.Down(ctx)
}

// within runs a command while it holds the lab. An interrupt reaches the
// command, and the lab still goes down.
func within(ctx context.Context, command []string) error {
	l, err := lab.Open(ctx)
	if err != nil {
		return err
	}
	err = prepare(ctx, l)
	if err == nil {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = time.Minute
		err = cmd.Run()
	}
	downErr := l.Down(context.WithoutCancel(ctx))
	if errors.Is(downErr, batuta.Conflict) {
		fmt.Fprintln(os.Stderr, "lab: stays up:", downErr)
		return err
	}
	return errors.Join(err, downErr)
}

// prepare makes what takes minutes, so that it does not count against the time
// of a test.
func prepare(ctx context.Context, l *lab.Lab) error {
	began := time.Now()
	fmt.Fprintln(os.Stderr, "lab: preparing BuildKit and the base images (minutes the first time)")
	if _, err := l.BuildKit(ctx); err != nil {
		return err
	}
	if _, err := l.Bases(ctx, lab.Busybox, lab.Debian, lab.Node); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "lab: ready after %s\n", time.Since(began).Round(time.Second))
	return nil
}
