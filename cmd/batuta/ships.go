package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/pipeline"
)

func (p *program) shipsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "ships [SHIP]",
		Short:             "Show the ships: whether they answer, what they have left, what runs there",
		Args:              arguments(0, 1),
		ValidArgsFunction: p.completeShip,
	}
	f := formatFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.connect()
		if err != nil {
			return err
		}
		if len(args) == 0 {
			all, err := c.Ships(cmd.Context())
			if err != nil {
				return err
			}
			return show(p, f, all, p.printShips)
		}
		one, err := c.Ship(cmd.Context(), batuta.ShipName(args[0]))
		if err != nil {
			return err
		}
		return show(p, f, one, p.printShip)
	}
	return cmd
}

// printShips is one line for each ship.
func (p *program) printShips(all []pipeline.ShipStatus) error {
	rows := [][]string{{"SHIP", p.paint(plain, "STATE"), "ENGINE", "LOAD", "MEMORY", "DISK FREE", "RUNS", "LABELS", "WHY"}}
	for _, s := range all {
		running, instances := 0, 0
		for _, c := range s.Runs {
			running, instances = running+c.Running, instances+c.Instances
		}
		runs := fmt.Sprintf("%d/%d", running, instances)
		if !s.Reachable {
			runs = fmt.Sprintf("?/%d", instances)
		}
		rows = append(rows, []string{string(s.Name), p.shipState(s), dash(s.Facts.Engine), load(s), capacity(s.Facts.Memory), free(s), runs, labels(s.Labels), p.whyShip(s)})
	}
	return table(p.stdout, rows)
}

// shipState is what a person has to know of a ship first.
func (p *program) shipState(s pipeline.ShipStatus) string {
	var words []string
	c := green
	if s.Mark != pipeline.Open {
		words, c = append(words, string(s.Mark)), yellow
	}
	switch {
	case !s.Reachable:
		words, c = append(words, "no answer"), red
	case len(words) == 0:
		words = []string{"open"}
	}
	return p.paint(c, strings.Join(words, ", "))
}

// whyShip is since when, by whom and why a ship is not simply open.
func (p *program) whyShip(s pipeline.ShipStatus) string {
	var words []string
	if s.Mark != pipeline.Open {
		words = append(words, strings.TrimSuffix(fmt.Sprintf("%s by %s %s: %s", s.Mark, s.By, p.ago(s.Marked), s.Why), ": "))
	}
	if !s.Silent.IsZero() {
		words = append(words, "lost "+p.ago(s.Silent))
	}
	if s.Reason != "" {
		words = append(words, s.Reason)
	}
	return oneLine(strings.Join(words, "; "))
}

// load is that of the last minute beside the number of processors.
func load(s pipeline.ShipStatus) string {
	switch {
	case s.Facts.CPUs == 0:
		return "-"
	case s.Facts.Load == 0:
		return fmt.Sprintf("-/%d", s.Facts.CPUs)
	}
	return fmt.Sprintf("%.1f/%d", s.Facts.Load, s.Facts.CPUs)
}

func free(s pipeline.ShipStatus) string {
	if s.Facts.DiskSize == 0 {
		return capacity(s.Facts.DiskFree)
	}
	return fmt.Sprintf("%s (%d%%)", capacity(s.Facts.DiskFree), s.Facts.DiskFree*100/s.Facts.DiskSize)
}

// capacity is a number of bytes in the largest unit of which there is one.
func capacity(n int64) string {
	if n <= 0 {
		return "-"
	}
	value, unit := float64(n), 0
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	for value >= 1000 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	return fmt.Sprintf("%.3g %s", value, units[unit])
}

func labels(of map[string]string) string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(of)) {
		words = append(words, key+"="+of[key])
	}
	return dash(strings.Join(words, ","))
}

// printShip is one ship, and a line for each container on it.
func (p *program) printShip(s pipeline.ShipStatus) error {
	if err := p.printShips([]pipeline.ShipStatus{s}); err != nil || len(s.Runs) == 0 {
		return err
	}
	fmt.Fprintln(p.stdout)
	rows := [][]string{{"APP", "ENVIRONMENT", "INSTANCE", p.paint(plain, "STATE"), "RELEASE", "STARTED", "ADDRESS"}}
	for _, cargo := range s.Runs {
		for _, c := range byShip(cargo.Containers) {
			rows = append(rows, []string{string(c.App), string(c.Environment), string(c.Instance), p.state(c), number(c.Release), p.ago(c.Started), strings.Join(c.URLs, " ")})
		}
	}
	return table(p.stdout, rows)
}

// age is how long something has been so, in one unit.
func (p *program) age(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(max(p.now().Sub(t), 0))
}
