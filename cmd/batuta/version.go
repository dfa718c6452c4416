package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (p *program) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print which Batuta this is",
		Args:  arguments(0, 0),
	}
	f := formatFlag(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		return show(p, f, map[string]string{"version": version}, func(map[string]string) error {
			_, err := fmt.Fprintln(p.stdout, "batuta", version)
			return err
		})
	}
	return cmd
}
