package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (p *program) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel RUN",
		Short: "Stop a run at its next safe point, or keep it from starting",
		Args:  arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := runID(args[0])
			if err != nil {
				return err
			}
			c, err := p.connect()
			if err != nil {
				return err
			}
			run, err := c.Cancel(cmd.Context(), id)
			if err != nil {
				return err
			}
			if run.Status.Ended() {
				fmt.Fprintf(p.stdout, "run %d is %s\n", run.ID, run.Status)
			} else {
				fmt.Fprintf(p.stdout, "run %d is being cancelled\n", run.ID)
			}
			return nil
		},
	}
}
