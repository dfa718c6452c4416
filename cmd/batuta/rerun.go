package main

import "github.com/spf13/cobra"

func (p *program) rerunCommand() *cobra.Command {
	var detach bool
	var from string
	cmd := &cobra.Command{
		Use:     "rerun RUN",
		Short:   "Do again what an ended run was about",
		Example: "  batuta rerun 31\n  batuta rerun 31 --from 'test unit'",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := runID(args[0])
			if err != nil {
				return err
			}
			c, err := p.connect()
			if err != nil {
				return err
			}
			run, err := c.Rerun(cmd.Context(), id, from)
			if err != nil {
				return err
			}
			return p.watch(cmd.Context(), c, run, detach)
		},
	}
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "do not wait for the run to end")
	cmd.Flags().StringVar(&from, "from", "", "the step to begin with, such as \"test unit\"; what came before is reused")
	return cmd
}
