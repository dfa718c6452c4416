package main

import (
	"github.com/spf13/cobra"

	"batuta"
	"batuta/internal/api"
)

func (p *program) rollbackCommand() *cobra.Command {
	o := &order{p: p, api: api.Order{Kind: batuta.RunRollback}}
	cmd := &cobra.Command{
		Use:               "rollback APP ENVIRONMENT",
		Short:             "Deploy a release that was live before",
		Example:           "  batuta rollback portal production\n  batuta rollback portal production --to 11",
		Args:              arguments(2, 2),
		ValidArgsFunction: p.completeEnvironment,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.carryOut(cmd.Context(), args) },
	}
	o.flags(cmd)
	cmd.Flags().IntVar((*int)(&o.api.Release), "to", 0, "the release (default: the one that was live before this one)")
	return cmd
}
