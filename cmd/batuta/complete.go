package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"batuta"
)

// completionWait is how long a person who pressed the tab key waits.
const completionWait = 2 * time.Second

// completeApp completes an app's name for the shell.
func (p *program) completeApp(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionWait)
	defer cancel()
	var names []string
	if c, err := p.connect(); err == nil {
		apps, _ := c.Apps(ctx) // without an answer there is nothing to offer
		for _, a := range apps {
			names = append(names, string(a.Name))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeEnvironment completes an app's name, then one of its environments.
func (p *program) completeEnvironment(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return p.completeApp(cmd, args, word)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionWait)
	defer cancel()
	var names []string
	if c, err := p.connect(); err == nil {
		all, _ := c.Status(ctx, batuta.AppName(args[0])) // as above
		for _, s := range all {
			names = append(names, string(s.Environment))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
