package main

import (
	"github.com/spf13/cobra"

	"batuta"
	"batuta/internal/api"
)

func (p *program) promoteCommand() *cobra.Command {
	o := &order{p: p, api: api.Order{Kind: batuta.RunPromotion}}
	cmd := &cobra.Command{
		Use:   "promote APP ENVIRONMENT",
		Short: "Deploy the release that one environment runs to the next",
		Long: "Deploys the release that the environment before runs, healthy, with the same digests and its own\n" +
			"document for this environment. The plan is shown first; what you approve is what happens. Where others\n" +
			"have to approve, too, or in your place, it waits for their `batuta approve`.",
		Example:           "  batuta promote portal production\n  batuta promote portal production --release 12 --yes",
		Args:              arguments(2, 2),
		ValidArgsFunction: p.completeEnvironment,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.carryOut(cmd.Context(), args) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar((*string)(&o.api.From), "from", "", "the environment whose release is promoted (default: the one before)")
	cmd.Flags().IntVar((*int)(&o.api.Release), "release", 0, "the release that environment is expected to run; another is refused")
	return cmd
}
