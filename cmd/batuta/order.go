package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/internal/api"
	"batuta/internal/api/client"
	"batuta/pipeline"
)

// replans is how often --yes accepts that the world moved between the plan and
// the order.
const replans = 3

// order is what promote, rollback and deploy have in common: a plan is shown,
// approved, and carried out if it is still the same.
type order struct {
	p      *program
	app    batuta.AppName
	env    batuta.EnvironmentName
	api    api.Order
	yes    bool
	detach bool
}

// flags adds those that every order has.
func (o *order) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "approve the plan without asking")
	cmd.Flags().BoolVarP(&o.detach, "detach", "d", false, "do not wait for the run to end")
}

// carryOut shows, asks and deploys. If what runs changed meanwhile, the plan
// is made, shown and asked about again.
func (o *order) carryOut(ctx context.Context, args []string) error {
	o.app, o.env = batuta.AppName(args[0]), batuta.EnvironmentName(args[1])
	c, err := o.p.connect()
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		run, done, err := o.once(ctx, c)
		if done {
			return nil
		}
		if errors.Is(err, batuta.Conflict) && (!o.yes || attempt < replans) && o.api.Approved != "" {
			fmt.Fprintf(o.p.stderr, "%v; this is the plan now:\n\n", err)
			continue
		}
		if err != nil {
			return err
		}
		if run.Status == batuta.RunWaiting {
			o.p.tellWaiting(run)
			return nil
		}
		return o.p.watch(ctx, c, run, o.detach)
	}
}

// once makes one attempt. It is done if there is nothing to do.
func (o *order) once(ctx context.Context, c *client.Client) (run batuta.Run, done bool, err error) {
	o.api.Approved = ""
	proposal, err := c.Plan(ctx, o.app, o.env, o.api)
	if err != nil {
		return run, false, err
	}
	o.p.showProposal(proposal)
	if proposal.Plan.Empty() && proposal.Current == proposal.Release.Number {
		return run, true, nil
	}
	if !o.yes {
		if err := o.p.approve(ctx, "Go ahead?"); err != nil {
			return run, false, err
		}
	}
	o.api.Approved = proposal.Hash
	run, err = c.Deploy(ctx, o.app, o.env, o.api)
	return run, false, err
}

// showProposal prints what an order comes to.
func (p *program) showProposal(o pipeline.Proposal) {
	r := o.Release
	fmt.Fprintf(p.stdout, "%s %s: release %d, %s", o.App, o.Environment, r.Number, r.Revision.Short())
	if r.Message != "" {
		fmt.Fprintf(p.stdout, " %q", r.Message)
	}
	switch o.Current {
	case 0:
		fmt.Fprint(p.stdout, "; nothing runs there yet\n")
	case r.Number:
		fmt.Fprint(p.stdout, "; it runs there already\n")
	default:
		fmt.Fprintf(p.stdout, "; release %d runs there now\n", o.Current)
	}
	for line := range strings.Lines(o.Text) {
		fmt.Fprint(p.stdout, "  "+strings.TrimSuffix(line, "\n")+"\n")
	}
}
