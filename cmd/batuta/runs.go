package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
)

func (p *program) runsCommand() *cobra.Command {
	var app, status string
	var limit int
	cmd := &cobra.Command{
		Use:   "runs [RUN]",
		Short: "List the newest runs, or show one with its steps",
		Args:  arguments(0, 1),
	}
	f := formatFlag(cmd.Flags())
	cmd.Flags().StringVar(&app, "app", "", "only those of an app")
	cmd.Flags().StringVar(&status, "status", "", "only those that are queued, running, succeeded, failed, cancelled, superseded or skipped")
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "how many at most")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return p.showRun(cmd, f, args[0])
		}
		c, err := p.connect()
		if err != nil {
			return err
		}
		runs, err := c.Runs(cmd.Context(), batuta.AppName(app), batuta.RunStatus(status), limit)
		if err != nil {
			return err
		}
		return show(p, f, runs, p.printRuns)
	}
	return cmd
}

func (p *program) printRuns(runs []batuta.Run) error {
	if len(runs) == 0 {
		fmt.Fprintln(p.stderr, "no runs")
		return nil
	}
	rows := [][]string{{"RUN", "APP", "WHAT", p.paint(plain, "STATUS"), "REVISION", "RELEASE", "BY", "CREATED", "TOOK"}}
	for _, r := range runs {
		rows = append(rows, []string{
			fmt.Sprint(r.ID), string(r.App), subject(r), p.paint(statusColour(string(r.Status)), string(r.Status)),
			dash(r.Push.Revision.Short()), number(r.Release), dash(r.By), p.ago(r.Created), p.took(r.Started, r.Ended),
		})
	}
	return table(p.stdout, rows)
}

func (p *program) showRun(cmd *cobra.Command, f *format, arg string) error {
	id, err := runID(arg)
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	run, err := c.Run(cmd.Context(), id)
	if err != nil {
		return err
	}
	return show(p, f, run, p.printRun)
}

func (p *program) printRun(run batuta.Run) error {
	if err := p.printRuns([]batuta.Run{run}); err != nil {
		return err
	}
	if run.Reason != "" {
		fmt.Fprintf(p.stdout, "\nto mend what runs: %s\n", oneLine(run.Reason))
	}
	if run.Error != "" {
		fmt.Fprintf(p.stdout, "\n%s\n", p.paint(statusColour(string(run.Status)), run.Error))
	}
	if len(run.Steps) == 0 {
		return nil
	}
	fmt.Fprintln(p.stdout)
	rows := [][]string{{"STEP", p.paint(plain, "STATUS"), "ATTEMPT", "TOOK", "WHY"}}
	for _, s := range run.Steps {
		why, _, _ := strings.Cut(s.Error, "\n")
		rows = append(rows, []string{s.Name, p.paint(statusColour(string(s.Status)), string(s.Status)), fmt.Sprint(s.Attempt), p.took(s.Started, s.Ended), why})
	}
	return table(p.stdout, rows)
}
