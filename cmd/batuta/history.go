package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/deployer"
	"batuta/pipeline"
)

func (p *program) historyCommand() *cobra.Command {
	var since string
	filter := pipeline.EventFilter{}
	cmd := &cobra.Command{
		Use:               "history APP [ENVIRONMENT]",
		Short:             "Show what happened to the instances, newest first",
		Example:           "  batuta history portal production --kind crashed --since 24h",
		Args:              arguments(1, 2),
		ValidArgsFunction: p.completeEnvironment,
	}
	f := formatFlag(cmd.Flags())
	cmd.Flags().StringVar((*string)(&filter.Instance), "instance", "", "only those of an instance")
	cmd.Flags().StringVar((*string)(&filter.Kind), "kind", "", "only created, started, ready, unready, stopped, crashed, replaced or removed")
	cmd.Flags().StringVar(&since, "since", "", "only those since a time (2026-03-01T12:00:00Z), or of the last while (90m, 24h)")
	cmd.Flags().IntVarP(&filter.Limit, "limit", "n", 50, "how many at most")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if filter.Since, err = p.instant(since); err != nil {
			return err
		}
		c, err := p.connect()
		if err != nil {
			return err
		}
		events, err := c.History(cmd.Context(), batuta.AppName(args[0]), batuta.EnvironmentName(optional(args, 1)), filter)
		if err != nil {
			return err
		}
		return show(p, f, events, p.printEvents)
	}
	return cmd
}

// instant is a moment that a person wrote: as a time, or as how long ago.
func (p *program) instant(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return p.now().Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is no time", text), Hint: "write 2026-03-01T12:00:00Z, or how long ago: 90m, 24h"}
	}
	return at, nil
}

func (p *program) printEvents(events []pipeline.Event) error {
	rows := [][]string{{"WHEN", "ENVIRONMENT", "SHIP", "INSTANCE", p.paint(plain, "WHAT"), "RELEASE", "CONTAINER", "DETAIL"}}
	for _, e := range events {
		rows = append(rows, []string{
			e.At.UTC().Format("2006-01-02 15:04:05.000"), string(e.Environment), string(e.Ship), string(e.Instance), p.paint(eventColour(e), string(e.Kind)),
			number(e.Release), dash(e.Container[:min(len(e.Container), 12)]), oneLine(e.Text),
		})
	}
	if len(rows) == 1 {
		fmt.Fprintln(p.stderr, "nothing happened")
		return nil
	}
	return table(p.stdout, rows)
}

func eventColour(e pipeline.Event) colour {
	switch e.Kind {
	case deployer.Ready:
		return green
	case deployer.Crashed, deployer.Unready:
		return red
	}
	return grey
}
