package main

import "github.com/spf13/cobra"

func (p *program) rerunCommand() *cobra.Command {
	var detach bool
	cmd := &cobra.Command{
		Use:   "rerun RUN",
		Short: "Do again what an ended run was about",
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
			run, err := c.Rerun(cmd.Context(), id)
			if err != nil {
				return err
			}
			return p.watch(cmd.Context(), c, run, detach)
		},
	}
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "do not wait for the run to end")
	return cmd
}
