package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/internal/api"
)

func (p *program) approveCommand() *cobra.Command {
	var yes, detach bool
	cmd := &cobra.Command{
		Use:   "approve RUN",
		Short: "Say yes to the plan of a promotion that waits for people",
		Long: "Shows the plan that a promotion was asked for with and, if you say yes, counts you among those who\n" +
			"approve it. With the last that the environment wants, it is carried out. If what runs has changed\n" +
			"since, nobody can approve it any more: cancel it and ask again.",
		Example: "  batuta approve 31",
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
			run, err := c.Run(cmd.Context(), id)
			if err != nil {
				return err
			}
			if run.Status == batuta.RunWaiting {
				proposal, err := c.Plan(cmd.Context(), run.App, run.Environment, api.Order{Kind: run.Kind, From: run.From, Release: run.Release})
				if err != nil {
					return err
				}
				p.showProposal(proposal)
				if !yes {
					if err := p.approve(cmd.Context(), "Approve it?"); err != nil {
						return err
					}
				}
			}
			if run, err = c.Approve(cmd.Context(), id); err != nil {
				return err
			}
			if run.Status == batuta.RunWaiting {
				p.tellWaiting(run)
				return nil
			}
			return p.watch(cmd.Context(), c, run, detach)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "approve the plan without asking")
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "do not wait for the run to end")
	return cmd
}

// tellWaiting says for whom a run waits.
func (p *program) tellWaiting(run batuta.Run) {
	by := "nobody has approved it yet"
	if len(run.Approvals) > 0 {
		by = "approved by " + strings.Join(run.Approvals, ", ")
	}
	fmt.Fprintf(p.stdout, "run %d waits for approval (%s): `batuta approve %d`\n", run.ID, by, run.ID)
}
