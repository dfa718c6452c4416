package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/internal/api/client"
	"batuta/pipeline"
)

func (p *program) shipCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ship",
		Short: "Keep a ship from being used, empty it, and open it again",
		Long: "A cordoned ship keeps what it has and gets nothing counted. A drained one gives what is counted to other\n" +
			"ships, which start it first, so that nothing is down; what a document puts on this ship by name stays.\n" +
			"Both last until the ship is uncordoned.",
		Example: "  batuta ship drain node1 --why \"new disk\"\n  batuta ship uncordon node1",
		RunE:    unknown,
	}
	cmd.AddCommand(
		p.markCommand("cordon", "Have nothing counted come to a ship", (*client.Client).Cordon),
		p.markCommand("uncordon", "Open a cordoned or drained ship again", (*client.Client).Uncordon),
		p.drainCommand(),
	)
	return cmd
}

// markCommand is cordon and uncordon.
func (p *program) markCommand(name, short string, act func(*client.Client, context.Context, batuta.ShipName, string) (pipeline.ShipStatus, error)) *cobra.Command {
	var why string
	cmd := &cobra.Command{Use: name + " SHIP", Short: short, Args: arguments(1, 1), ValidArgsFunction: p.completeShip}
	cmd.Flags().StringVar(&why, "why", "", "the reason, for the others and for the audit trail")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.connect()
		if err != nil {
			return err
		}
		s, err := act(c, cmd.Context(), batuta.ShipName(args[0]), why)
		if err != nil {
			return err
		}
		return p.printShips([]pipeline.ShipStatus{s})
	}
	return cmd
}

func (p *program) drainCommand() *cobra.Command {
	var why string
	var detach bool
	cmd := &cobra.Command{
		Use:               "drain SHIP",
		Short:             "Move what is counted on a ship elsewhere, and keep it so",
		Args:              arguments(1, 1),
		ValidArgsFunction: p.completeShip,
	}
	cmd.Flags().StringVar(&why, "why", "", "the reason, for the others and for the audit trail")
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "do not wait for the runs to end")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.connect()
		if err != nil {
			return err
		}
		d, err := c.Drain(cmd.Context(), batuta.ShipName(args[0]), why)
		if err != nil {
			return err
		}
		return p.drained(cmd.Context(), c, d, detach)
	}
	return cmd
}

// drained shows the runs of a drain to their end, and what the ship still has.
func (p *program) drained(ctx context.Context, c *client.Client, d pipeline.Drain, detach bool) error {
	for _, s := range d.Stuck {
		what := "everything"
		if s.Instance != "" {
			what = string(s.Instance)
		}
		fmt.Fprintf(p.stdout, "%s of %s %s stays: %s\n", what, s.App, s.Environment, oneLine(s.Why))
	}
	var failed []string
	for _, id := range d.Runs {
		run, err := c.Run(ctx, id)
		if err == nil {
			err = p.watch(ctx, c, run, detach)
		}
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			p.complain(err)
			failed = append(failed, fmt.Sprint(id))
		}
	}
	if detach {
		return nil
	}
	return p.left(ctx, c, d, failed)
}

// left is an error if the ship is not empty.
func (p *program) left(ctx context.Context, c *client.Client, d pipeline.Drain, failed []string) error {
	s, err := c.Ship(ctx, d.Ship)
	if err != nil {
		return err
	}
	var left []string
	for _, cargo := range s.Runs {
		left = append(left, fmt.Sprintf("%d of %s %s", cargo.Instances, cargo.App, cargo.Environment))
	}
	switch {
	case len(failed) > 0:
		return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("%s is not empty: run %s failed", d.Ship, strings.Join(failed, ", run ")), Hint: "the ship stays drained; the server tries again, and so does this command"}
	case len(left) > 0:
		return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("%s is not empty: it has %s", d.Ship, strings.Join(left, ", ")), Hint: fmt.Sprintf("see `batuta ships %s`; what its document puts there by name has to be moved there", d.Ship)}
	}
	fmt.Fprintln(p.stdout, p.paint(green, fmt.Sprintf("%s is empty; `batuta ship uncordon %s` opens it again", d.Ship, d.Ship)))
	return nil
}

// completeShip completes a ship's name for the shell.
func (p *program) completeShip(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionWait)
	defer cancel()
	var names []string
	if c, err := p.connect(); err == nil {
		all, _ := c.Ships(ctx) // without an answer there is nothing to offer
		for _, s := range all {
			names = append(names, string(s.Name))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
