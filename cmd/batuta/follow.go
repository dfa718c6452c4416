package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"batuta"
	"batuta/internal/api/client"
)

// watch shows what a run prints until it has ended, and how it ended. With
// detach it only names the run.
func (p *program) watch(ctx context.Context, c *client.Client, run batuta.Run, detach bool) error {
	if detach {
		fmt.Fprintf(p.stdout, "run %d is %s; follow it with `batuta logs -f %d`\n", run.ID, run.Status, run.ID)
		return nil
	}
	fmt.Fprintf(p.stderr, "run %d, %s; Ctrl-C stops watching, not the run\n", run.ID, subject(run))
	err := c.Log(ctx, run.ID, "", true, p.logPrinter(false, false))
	if err == nil {
		run, err = c.Run(ctx, run.ID)
	}
	if ctx.Err() != nil {
		return &batuta.Error{Message: fmt.Sprintf("stopped watching; run %d goes on", run.ID), Hint: fmt.Sprintf("`batuta logs -f %d` shows it again, `batuta cancel %d` stops it", run.ID, run.ID)}
	}
	if err != nil {
		return err
	}
	return p.outcome(ctx, c, run)
}

// outcome tells how a run ended; an end other than success is an error.
func (p *program) outcome(ctx context.Context, c *client.Client, run batuta.Run) error {
	switch run.Status {
	case batuta.RunSucceeded:
		fmt.Fprintf(p.stdout, "%s in %s: ", p.paint(green, fmt.Sprintf("run %d succeeded", run.ID)), p.took(run.Started, run.Ended))
		if run.Release == 0 { // a pull request's
			fmt.Fprintln(p.stdout, "built and tested")
			return nil
		}
		fmt.Fprintf(p.stdout, "release %d is live in %s\n", run.Release, run.Environment)
		return p.addresses(ctx, c, run)
	case batuta.RunSkipped:
		fmt.Fprintf(p.stdout, "run %d had nothing to do: %s\n", run.ID, run.Error)
		return nil
	case batuta.RunQueued, batuta.RunRunning:
		return &batuta.Error{Kind: batuta.Unavailable, Message: fmt.Sprintf("the log of run %d ended, but the run goes on", run.ID), Hint: fmt.Sprintf("`batuta logs -f %d` shows it again", run.ID)}
	default:
		return ended(run)
	}
}

// ended is the error of a run that did not succeed.
func ended(run batuta.Run) error {
	text := fmt.Sprintf("run %d %s", run.ID, run.Status)
	if run.Status == batuta.RunCancelled || run.Status == batuta.RunSuperseded {
		text = fmt.Sprintf("run %d was %s", run.ID, run.Status)
	}
	if run.Error != "" {
		text += ": " + run.Error
	}
	return &batuta.Error{Kind: batuta.Internal, Message: text}
}

// addresses says where the environment that a run deployed answers.
func (p *program) addresses(ctx context.Context, c *client.Client, run batuta.Run) error {
	all, err := c.Status(ctx, run.App)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Environment != run.Environment {
			continue
		}
		for _, c := range byShip(s.Containers) {
			for _, url := range c.URLs {
				fmt.Fprintf(p.stdout, "  %s  %s on %s\n", url, c.Instance, c.Ship)
			}
		}
	}
	return nil
}

// subject is what a run is about: push of main, promotion to production.
func subject(run batuta.Run) string {
	ref := strings.TrimPrefix(strings.TrimPrefix(run.Push.Ref, "refs/heads/"), "refs/tags/")
	switch {
	case run.Kind == batuta.RunPush && ref == "":
		return "push"
	case run.Kind == batuta.RunPush:
		return "push of " + ref
	case run.Kind == batuta.RunRollback:
		return "rollback of " + string(run.Environment)
	}
	return string(run.Kind) + " to " + string(run.Environment)
}

// logPrinter shows lines of a log: the text, after the step it comes from
// unless bare, after the time if that is wanted.
func (p *program) logPrinter(bare, times bool) io.Writer {
	return &logPrinter{p: p, bare: bare, times: times}
}

type logPrinter struct {
	p           *program
	bare, times bool
	held        []byte
}

// Write takes the stream in any pieces.
func (l *logPrinter) Write(b []byte) (int, error) {
	l.held = append(l.held, b...)
	end := bytes.LastIndexByte(l.held, '\n') + 1
	var out strings.Builder
	for line := range bytes.Lines(l.held[:end]) {
		out.WriteString(l.line(strings.TrimSuffix(string(line), "\n")) + "\n")
	}
	l.held = append(l.held[:0], l.held[end:]...)
	if _, err := io.WriteString(l.p.stdout, out.String()); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (l *logPrinter) line(line string) string {
	fields := strings.SplitN(line, "\t", 3)
	if len(fields) < 3 {
		return line
	}
	when, step, text := fields[0], fields[1], fields[2]
	if !l.bare {
		text = l.p.paint(grey, step+" |") + " " + text
	}
	if l.times {
		text = l.p.paint(grey, when) + " " + text
	}
	return text
}
