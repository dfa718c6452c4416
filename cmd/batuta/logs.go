package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"batuta"
)

func (p *program) logsCommand() *cobra.Command {
	var follow, times bool
	var lines int
	cmd := &cobra.Command{
		Use:     "logs RUN [STEP] | INSTANCE",
		Short:   "Show what a run, or one of its steps, printed; with -f before it, what an instance prints",
		Example: "  batuta -f maestro.yaml logs -F -n 100 web-1\n  batuta logs 12\n  batuta logs -f 12\n  batuta logs 12 \"build web\"",
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
	cmd.Flags().BoolVarP(&follow, "follow", "F", false, "wait for more until the run has ended; of an instance: also when it comes back")
	cmd.Flags().BoolVarP(&follow, "f", "f", false, "the same as -F")
	_ = cmd.Flags().MarkHidden("f") // it is there
	cmd.Flags().IntVarP(&lines, "lines", "n", -1, "with a document: only the last so many lines")
	cmd.Flags().BoolVarP(&times, "times", "t", false, "show when each line was printed")
	return p.orLocal(cmd, arguments(1, 1), func(ctx context.Context, l *local, things []string) error {
		spec, err := l.spec(ctx)
		if err != nil {
			return err
		}
		err = l.fleet.Printed(ctx, spec, things[0], lines, follow, p.stdout, func(text string) { fmt.Fprintln(p.stderr, "batuta:", text) })
		if ctx.Err() != nil {
			return nil // somebody has seen enough
		}
		return failedVerb(err)
	})
}
