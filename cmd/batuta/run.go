package main

import (
	"github.com/spf13/cobra"

	"batuta"
)

func (p *program) runCommand() *cobra.Command {
	var detach bool
	var env string
	cmd := &cobra.Command{
		Use:               "run APP [REF] [--env NAME]",
		Short:             "Build a branch, tag or revision and deploy it, as a push would",
		Example:           "  batuta run portal\n  batuta run portal feature/search --detach\n  batuta run portal feature/search --env preview",
		Args:              arguments(1, 2),
		ValidArgsFunction: p.completeApp,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.connect()
			if err != nil {
				return err
			}
			run, err := c.Start(cmd.Context(), batuta.AppName(args[0]), optional(args, 1), batuta.EnvironmentName(env))
			if err != nil {
				return err
			}
			return p.watch(cmd.Context(), c, run, detach)
		},
	}
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "do not wait for the run to end")
	cmd.Flags().StringVar(&env, "env", "", "the environment to deploy to, with an environments/NAME.yml; default the first of promote")
	return cmd
}
