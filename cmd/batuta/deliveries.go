package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
)

func (p *program) deliveriesCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:               "deliveries APP [ID]",
		Short:             "Show what the forges delivered, and what was decided and why",
		Example:           "  batuta deliveries portal -n 5\n  batuta deliveries portal 17",
		Args:              arguments(1, 2),
		ValidArgsFunction: p.completeApp,
	}
	f := formatFlag(cmd.Flags())
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "how many at most")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.connect()
		if err != nil {
			return err
		}
		app := batuta.AppName(args[0])
		if len(args) == 2 {
			id, err := deliveryID(args[1])
			if err != nil {
				return err
			}
			d, err := c.Delivery(cmd.Context(), app, id)
			if err != nil {
				return err
			}
			return show(p, f, d, p.printDelivery)
		}
		all, err := c.Deliveries(cmd.Context(), app, limit)
		if err != nil {
			return err
		}
		return show(p, f, all, p.printDeliveries)
	}
	return cmd
}

func (p *program) redeliverCommand() *cobra.Command {
	var detach bool
	cmd := &cobra.Command{
		Use:               "redeliver APP ID",
		Short:             "Run once more what a delivery said",
		Args:              arguments(2, 2),
		ValidArgsFunction: p.completeApp,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := deliveryID(args[1])
			if err != nil {
				return err
			}
			c, err := p.connect()
			if err != nil {
				return err
			}
			run, err := c.Redeliver(cmd.Context(), batuta.AppName(args[0]), id)
			if err != nil {
				return err
			}
			return p.watch(cmd.Context(), c, run, detach)
		},
	}
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "do not wait for the run to end")
	return cmd
}

// deliveryID reads a delivery's number.
func deliveryID(text string) (batuta.DeliveryID, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a delivery's number", text), Hint: "`batuta deliveries APP` lists them"}
	}
	return batuta.DeliveryID(id), nil
}

func (p *program) printDeliveries(all []batuta.Delivery) error {
	if len(all) == 0 {
		fmt.Fprintln(p.stderr, "nothing was delivered yet")
		return nil
	}
	rows := [][]string{{"ID", "WHEN", "FORGE", "EVENT", "REF", "REVISION", "SENDER", "DECISION"}}
	for _, d := range all {
		rows = append(rows, []string{
			fmt.Sprint(d.ID), p.ago(d.Received), d.Forge, dash(oneLine(d.Event)), dash(d.Ref), dash(d.After.Short()), dash(d.Sender), oneLine(d.Decision),
		})
	}
	return table(p.stdout, rows)
}

func (p *program) printDelivery(d batuta.Delivery) error {
	rows := [][]string{
		{"delivery", fmt.Sprint(d.ID)}, {"received", d.Received.UTC().Format("2006-01-02 15:04:05") + " from " + dash(d.Source)},
		{"forge", d.Forge + " " + d.Delivery}, {"event", dash(oneLine(d.Event))}, {"ref", dash(d.Ref)},
		{"before", dash(string(d.Before))}, {"after", dash(string(d.After))}, {"clone", dash(d.Clone)},
		{"sender", dash(d.Sender)}, {"message", dash(d.Message)}, {"changed", dash(oneLine(strings.Join(d.Paths, " ")))},
	}
	if r := d.Pull; r != nil {
		rows = append(rows, []string{"pull request", fmt.Sprintf("#%d, %s into %s", r.Number, r.Source, r.Target)})
	}
	if err := table(p.stdout, append(rows, []string{"decision", oneLine(d.Decision)})); err != nil {
		return err
	}
	if d.Payload != "" {
		fmt.Fprintf(p.stdout, "\n%s\n", strings.TrimSpace(d.Payload))
	}
	return nil
}
