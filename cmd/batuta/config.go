package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/pipeline"
)

func (p *program) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config [APP]",
		Short: "Show batuta.yml in full, with every default: of an app's newest run, or the one here",
		Long: "With an app, asks the server for what its newest run went by. Without one, reads ./" + pipeline.RecipeFile + " and needs\n" +
			"no server; what the file leaves to the server (retries, poll) then stays out, and so do the rules of\n" +
			"promotions that server.yml has: with an app they are shown first, with where each comes from.",
		Example:           "  batuta config portal\n  batuta config",
		Args:              arguments(0, 1),
		ValidArgsFunction: p.completeApp,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return p.configHere()
			}
			c, err := p.connect()
			if err != nil {
				return err
			}
			s, err := c.Settled(cmd.Context(), batuta.AppName(args[0]))
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "# run %d, revision %s\n", s.Run, s.Revision)
			for _, rule := range s.Promote {
				fmt.Fprintf(p.stdout, "# %s\n", rule)
			}
			fmt.Fprint(p.stdout, s.Recipe)
			return nil
		},
	}
}

// configHere shows the batuta.yml of the directory.
func (p *program) configHere() error {
	data, err := os.ReadFile(pipeline.RecipeFile)
	if errors.Is(err, fs.ErrNotExist) {
		return &batuta.Error{Kind: batuta.NotFound, Message: "no " + pipeline.RecipeFile + " here", Hint: "go to the top of the app's repository, or name an app of the server"}
	} else if err != nil {
		return err
	}
	recipe, err := pipeline.ParseRecipe(pipeline.RecipeFile, data)
	if err != nil {
		return err
	}
	text, err := recipe.YAML()
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(text)
	return err
}
