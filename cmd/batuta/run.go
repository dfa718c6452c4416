package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"batuta"
)

func (p *program) runCommand() *cobra.Command {
	var detach, local bool
	var env string
	cmd := &cobra.Command{
		Use:     "run APP [REF] [--env NAME] | run --local [DIR]",
		Short:   "Build a branch, tag or revision and deploy it, as a push would",
		Example: "  batuta run portal\n  batuta run portal feature/search --detach\n  batuta run portal feature/search --env preview\n  batuta run --local",
		Args: func(cmd *cobra.Command, args []string) error {
			if local {
				return arguments(0, 1)(cmd, args)
			}
			return arguments(1, 2)(cmd, args)
		},
		ValidArgsFunction: p.completeApp,
		RunE: func(cmd *cobra.Command, args []string) error {
			if local {
				return p.rehearse(cmd.Context(), cmp.Or(optional(args, 0), "."), p.localEngine())
			}
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
	cmd.Flags().BoolVar(&local, "local", false, "build and test the working copy in DIR (here) on this machine's Docker, without a server; ${secret:NAME} is $BATUTA_SECRET_NAME")
	cmd.Flags().StringVar(&env, "env", "", "the environment to deploy to, with an environments/NAME.yml; default the first of promote")
	return cmd
}
