package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"batuta"
)

func (p *program) auditCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:               "audit [APP]",
		Short:             "Show who did what, newest first",
		Args:              arguments(0, 1),
		ValidArgsFunction: p.completeApp,
	}
	f := formatFlag(cmd.Flags())
	cmd.Flags().IntVarP(&limit, "limit", "n", 50, "how many at most")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.connect()
		if err != nil {
			return err
		}
		entries, err := c.Audit(cmd.Context(), batuta.AppName(optional(args, 0)), limit)
		if err != nil {
			return err
		}
		return show(p, f, entries, p.printEntries)
	}
	return cmd
}

func (p *program) printEntries(entries []batuta.Entry) error {
	rows := [][]string{{"WHEN", "BY", "ACTION", "APP", "OBJECT", "DETAIL"}}
	for _, e := range entries {
		rows = append(rows, []string{e.At.UTC().Format("2006-01-02 15:04:05"), dash(e.By), e.Action, dash(string(e.App)), dash(e.Object), oneLine(e.Detail)})
	}
	if len(rows) == 1 {
		fmt.Fprintln(p.stderr, "nothing yet")
		return nil
	}
	return table(p.stdout, rows)
}
