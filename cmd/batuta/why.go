package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/pipeline"
)

func (p *program) whyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why APP ENVIRONMENT",
		Short: "Show where each container comes from: its digest, run, revision, push, people and bases",
		Example: "  batuta why portal production\n" +
			"  batuta why portal production -o json",
		Args:              arguments(2, 2),
		ValidArgsFunction: p.completeEnvironment,
	}
	f := formatFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.connect()
		if err != nil {
			return err
		}
		w, err := c.Why(cmd.Context(), batuta.AppName(args[0]), batuta.EnvironmentName(args[1]))
		if err != nil {
			return err
		}
		return show(p, f, w, p.printWhy)
	}
	return cmd
}

func (p *program) printWhy(w pipeline.Why) error {
	if len(w.Containers) == 0 {
		fmt.Fprintf(p.stderr, "nothing runs in %s of %s\n", w.Environment, w.App)
	}
	for i, o := range w.Containers {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		if err := p.printOrigin(o); err != nil {
			return err
		}
	}
	for _, ship := range w.Unreachable {
		fmt.Fprintf(p.stderr, "%s does not answer: what runs there is not known\n", ship)
	}
	return nil
}

func (p *program) printOrigin(o pipeline.Origin) error {
	fmt.Fprintf(p.stdout, "%s on %s, %s\n", o.Instance, o.Ship, o.State)
	rows := [][]string{{"  image", o.Image}, {"  release", fmt.Sprint(o.Release)}}
	if o.Name != "" {
		rows = append(rows, []string{"  signature", dash(string(o.Signed))})
	}
	if m := o.Built; m != nil {
		rows = append(rows,
			[]string{"  built by", fmt.Sprintf("run %d from revision %s", m.Run, m.Revision)},
			[]string{"  pushed by", fmt.Sprintf("%s to %s at %s, %s %s", dash(m.By), m.Ref, m.At.UTC().Format("2006-01-02 15:04:05"), m.Forge, m.Delivery)},
			[]string{"  message", dash(m.Message)})
	}
	if d := o.Deployed; d != nil {
		rows = append(rows,
			[]string{"  deployed by", fmt.Sprintf("run %d (%s of %s) at %s, %s", d.Run, d.Kind, dash(d.By), d.At.UTC().Format("2006-01-02 15:04:05"), d.Status)},
			[]string{"  promoted from", dash(string(d.From))},
			[]string{"  approved by", dash(strings.Join(d.Approved, ", "))})
		if d.Reason != "" {
			rows = append(rows, []string{"  because", d.Reason})
		}
	}
	for _, b := range o.Bases {
		rows = append(rows, []string{"  from", b.Reference + atDigest(b.Digest)})
	}
	return table(p.stdout, rows)
}

// atDigest is a digest as it follows a reference.
func atDigest(d batuta.Digest) string {
	if d == "" {
		return ""
	}
	return "@" + string(d)
}
