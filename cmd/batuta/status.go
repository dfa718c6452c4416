package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/pipeline"
)

func (p *program) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [APP | SERVICE | INSTANCE...]",
		Short: "Show what each environment is meant to run, and what it runs",
		Long: "Without APP: services by ships. A cell is how many instances are ready, the release that runs, and for\n" +
			"how long the youngest of them has: 2 ✓ r12 3d. With APP: its environments and containers.\n\n" +
			"With -f: the instances of the document, and what runs of its environment without being declared.",
		Args:              arguments(0, 1),
		ValidArgsFunction: p.completeApp,
	}
	f := formatFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.connect()
		if err != nil {
			return err
		}
		all, err := c.Status(cmd.Context(), batuta.AppName(optional(args, 0)))
		if err != nil {
			return err
		}
		return show(p, f, all, func(all []pipeline.EnvironmentStatus) error {
			if len(args) == 0 {
				return p.printMatrix(all)
			}
			if err := p.printStatus(all); err != nil {
				return err
			}
			p.printTroubles(drifting(all))
			fmt.Fprintln(p.stdout)
			return p.printContainers(all)
		})
	}
	s := sightFlags(cmd)
	return p.orLocal(cmd, cobra.ArbitraryArgs, func(ctx context.Context, l *local, things []string) error {
		return failedVerb(s.show(ctx, l, f, things))
	})
}

// drifting is the environments that drifted, without what printStatus tells.
func drifting(all []pipeline.EnvironmentStatus) []pipeline.EnvironmentStatus {
	var some []pipeline.EnvironmentStatus
	for _, s := range all {
		if s.Drift != nil {
			s.Reason = ""
			some = append(some, s)
		}
	}
	return some
}

// printStatus is one line for each environment.
func (p *program) printStatus(all []pipeline.EnvironmentStatus) error {
	if len(all) == 0 {
		fmt.Fprintln(p.stderr, "no environments yet")
		return nil
	}
	rows := [][]string{{"APP", "ENVIRONMENT", "RELEASE", "REVISION", "SINCE", p.paint(plain, "HEALTH"), "WHY"}}
	for _, s := range all {
		rows = append(rows, []string{
			string(s.App), string(s.Environment), number(s.Release), dash(s.Revision.Short()), p.ago(s.Since), p.health(s), oneLine(s.Reason),
		})
	}
	return table(p.stdout, rows)
}

// oneLine keeps a table a table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func (p *program) health(s pipeline.EnvironmentStatus) string {
	switch {
	case s.Release == 0:
		return p.paint(grey, "empty")
	case s.Healthy:
		return p.paint(green, "healthy")
	}
	return p.paint(red, "unhealthy")
}

// printContainers is one line for each container, by environment and ship.
func (p *program) printContainers(all []pipeline.EnvironmentStatus) error {
	rows := [][]string{{"ENVIRONMENT", "SHIP", "INSTANCE", p.paint(plain, "STATE"), p.paint(plain, "HEALTH"), "RELEASE", "STARTED", "ADDRESS"}}
	for _, s := range all {
		for _, c := range byShip(s.Containers) {
			rows = append(rows, []string{string(s.Environment), string(c.Ship), string(c.Instance), p.state(c), p.ready(s, c), number(c.Release), p.ago(c.Started), strings.Join(c.URLs, " ")})
		}
		for _, ship := range s.Unreachable {
			rows = append(rows, []string{string(s.Environment), string(ship), "-", p.paint(red, "no answer")})
		}
	}
	if len(rows) == 1 {
		fmt.Fprintln(p.stderr, "nothing runs")
		return nil
	}
	return table(p.stdout, rows)
}

// byShip sorts containers for people.
func byShip(containers []batuta.ContainerState) []batuta.ContainerState {
	return slices.SortedFunc(slices.Values(containers), func(a, b batuta.ContainerState) int {
		return cmp.Or(cmp.Compare(a.Ship, b.Ship), cmp.Compare(a.Instance, b.Instance))
	})
}

// ready is whether a container does its instance's work.
func (p *program) ready(s pipeline.EnvironmentStatus, c batuta.ContainerState) string {
	i := slices.IndexFunc(s.Instances, func(i pipeline.InstanceStatus) bool { return i.Instance == c.Instance && i.Ship == c.Ship })
	switch {
	case i < 0:
		return p.paint(grey, "-")
	case s.Instances[i].Extra:
		return p.paint(yellow, "extra")
	case s.Instances[i].Ready:
		return p.paint(green, "ready")
	}
	return p.paint(red, "unready")
}

func (p *program) state(c batuta.ContainerState) string {
	switch c.State {
	case "running":
		return p.paint(green, c.State)
	case "exited":
		return p.paint(red, fmt.Sprintf("%s %d", c.State, c.ExitCode))
	}
	return p.paint(yellow, c.State)
}
