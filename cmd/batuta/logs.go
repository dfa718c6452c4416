package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"batuta"
)

func (p *program) logsCommand() *cobra.Command {
	var follow, times bool
	cmd := &cobra.Command{
		Use:     "logs RUN [STEP]",
		Short:   "Show what a run, or one of its steps, printed",
		Example: "  batuta logs 12\n  batuta logs -f 12\n  batuta logs 12 \"build web\"",
		Args:    arguments(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := runID(args[0])
			if err != nil {
				return err
			}
			c, err := p.connect()
			if err != nil {
				return err
			}
			step := optional(args, 1)
			err = c.Log(cmd.Context(), id, step, follow, p.logPrinter(step != "", times))
			if cmd.Context().Err() != nil {
				return &batuta.Error{Message: fmt.Sprintf("stopped watching; run %d goes on if it has not ended", id), Err: nil}
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "wait for more until the run has ended")
	cmd.Flags().BoolVarP(&times, "times", "t", false, "show when each line was printed")
	return cmd
}
