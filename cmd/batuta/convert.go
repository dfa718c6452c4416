package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"batuta"
	"batuta/deployer/convert"
)

// convertCommand prints another tool's file as an environment document.
func (p *program) convertCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "convert FILE",
		Short: "Print a MaestroNG or Compose file as an environment document",
		Long: `Print what a MaestroNG or Compose file means as an environment document of the
format batuta: 1. What cannot be carried over, or means something else now, is
told on the standard error, each with its place.

  batuta convert docker-compose.yml > environments/qa.yml`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readFile(args[0])
			if err != nil {
				return err
			}
			logrus.SetOutput(io.Discard) // Compose's reader says in it what the notes say
			result, err := convert.File(cmd.Context(), args[0], data, environment())
			if err != nil {
				return err
			}
			for _, note := range result.Notes {
				fmt.Fprintln(p.stderr, note)
			}
			_, err = p.stdout.Write(result.Document)
			return err
		},
	}
}

// readFile reads a file that a person named; - is the standard input.
func readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, &batuta.Error{Kind: batuta.NotFound, Message: "read " + name, Err: err}
	}
	return data, nil
}

// environment is this process's.
func environment() map[string]string {
	out := map[string]string{}
	for _, line := range os.Environ() {
		name, value, _ := strings.Cut(line, "=")
		out[name] = value
	}
	return out
}
