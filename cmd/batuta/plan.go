package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/deployer"
	"batuta/internal/api"
	"batuta/pipeline"
)

// kinds is what the commands that order something are called, by the kind of
// the run they make.
func kinds() map[string]batuta.RunKind {
	return map[string]batuta.RunKind{"promote": batuta.RunPromotion, "rollback": batuta.RunRollback, "deploy": batuta.RunDeploy}
}

func (p *program) planCommand() *cobra.Command {
	var o api.Order
	var command string
	cmd := &cobra.Command{
		Use:               "plan APP ENVIRONMENT",
		Short:             "Show what promote, rollback or deploy would change",
		Args:              arguments(2, 2),
		ValidArgsFunction: p.completeEnvironment,
	}
	f := formatFlag(cmd.Flags())
	cmd.Flags().StringVar(&command, "for", "promote", "promote, rollback or deploy")
	cmd.Flags().StringVar((*string)(&o.From), "from", "", "the environment whose release would be promoted")
	cmd.Flags().IntVar((*int)(&o.Release), "release", 0, "the release")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, ok := kinds()[command]
		if !ok {
			return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("there is no plan for %q", command), Hint: "promote, rollback or deploy"}
		}
		o.Kind = kind
		c, err := p.connect()
		if err != nil {
			return err
		}
		proposal, err := c.Plan(cmd.Context(), batuta.AppName(args[0]), batuta.EnvironmentName(args[1]), o)
		if err != nil {
			return err
		}
		return show(p, f, proposal, func(o pipeline.Proposal) error {
			p.showProposal(o)
			return nil
		})
	}
	images := imageFlag(cmd)
	return p.orLocal(cmd, arguments(0, 0), func(ctx context.Context, l *local, _ []string) error {
		plan, err := l.plan(ctx, *images)
		if err != nil {
			return err
		}
		return show(p, f, plan, func(plan deployer.Plan) error {
			_, err := fmt.Fprint(p.stdout, plan)
			return err
		})
	})
}
