package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/pipeline"
)

func (p *program) basesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "bases [APP]",
		Short:             "Show what images are built from, and which apps are built from them",
		Example:           "  batuta bases\n  batuta bases portal -o json",
		Args:              arguments(0, 1),
		ValidArgsFunction: p.completeApp,
	}
	f := formatFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.connect()
		if err != nil {
			return err
		}
		all, err := c.Bases(cmd.Context(), batuta.AppName(optional(args, 0)))
		if err != nil {
			return err
		}
		return show(p, f, all, p.printBases)
	}
	return cmd
}

func (p *program) printBases(all []pipeline.Foundation) error {
	if len(all) == 0 {
		fmt.Fprintln(p.stderr, "no releases yet")
		return nil
	}
	rows := [][]string{{"IMAGE", "RELEASE", "BUILT FROM", "DIGEST", "APP", "NEEDED BY", "BEHIND"}}
	for _, f := range all {
		var needed []string
		for _, app := range f.Dependants {
			needed = append(needed, string(app))
		}
		row := []string{fmt.Sprintf("%s/%s@%s", f.App, f.Image, f.Made.Digest.Short()), fmt.Sprint(f.Release), "-", "-", "-", dash(strings.Join(needed, " ")), dash(f.Behind)}
		for i, b := range f.Bases {
			if i > 0 {
				row = []string{"", "", "", "", "", "", ""}
			}
			row[2], row[3], row[4] = b.Reference, dash(b.Digest.Short()), dash(string(b.App))
			if i+1 < len(f.Bases) {
				rows = append(rows, row)
			}
		}
		rows = append(rows, row)
	}
	return table(p.stdout, rows)
}
