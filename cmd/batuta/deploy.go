package main

import (
	"context"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/internal/api"
)

func (p *program) deployCommand() *cobra.Command {
	o := &order{p: p, api: api.Order{Kind: batuta.RunDeploy}}
	cmd := &cobra.Command{
		Use:   "deploy APP ENVIRONMENT",
		Short: "Deploy a release again, or the newest to the first environment",
		Long: "Brings the environment to what the release declares: the one it runs, or the newest if it runs none.\n" +
			"It mends what was changed on the ships behind Batuta's back.\n\n" +
			"With -f, which stands for APP and ENVIRONMENT, it deploys an environment document without a server.",
		Example:           "  batuta deploy portal qa\n  batuta -f environments/qa.yml deploy --image web=registry.example.edu/portal/web@sha256:…",
		Args:              arguments(2, 2),
		ValidArgsFunction: p.completeEnvironment,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.carryOut(cmd.Context(), args) },
	}
	o.flags(cmd)
	cmd.Flags().IntVar((*int)(&o.api.Release), "release", 0, "the release (default: the one it runs, or else the newest)")
	images := imageFlag(cmd)
	return p.orLocal(cmd, arguments(0, 0), func(ctx context.Context, l *local, _ []string) error { return l.deploy(ctx, *images, o.yes) })
}
