package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"batuta"
)

// root is the command line: one file for each command.
func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "batuta",
		Short: "A push becomes an image, a release and a running environment; one command promotes it",
		Long: "Batuta builds what is pushed and puts it on your hosts, and promotes the very same bytes to production.\n\n" +
			"Which server is asked, and as whom: BATUTA_URL and BATUTA_TOKEN, or url and token in\n" +
			"$XDG_CONFIG_HOME/batuta/config.yml (~/.config/batuta/config.yml).\n\n" + exitCodes,
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2,
		TraverseChildren:           true, // -f may stand before the command
		SilenceUsage:               true,
		SilenceErrors:              true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if p.flags.file != "" && cmd.Annotations["file"] == "" {
				return errNeedsServer
			}
			p.started = true
			return nil
		},
		RunE: unknown,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &batuta.Error{Kind: batuta.Invalid, Message: err.Error(), Hint: fmt.Sprintf("`%s --help` lists the flags", cmd.CommandPath())}
	})
	root.PersistentFlags().StringVar(&p.flags.url, "url", "", "the server to ask (default $BATUTA_URL)")
	p.fileFlag(root.Flags())
	root.AddCommand(p.commands()...)
	root.AddCommand(p.verbCommands()...)
	return root
}

// commands are those that stand alone, in the order of their help.
func (p *program) commands() []*cobra.Command {
	return []*cobra.Command{
		p.runCommand(),
		p.runsCommand(),
		p.logsCommand(),
		p.artifactsCommand(),
		p.cancelCommand(),
		p.rerunCommand(),
		p.statusCommand(),
		p.releasesCommand(),
		p.planCommand(),
		p.promoteCommand(),
		p.approveCommand(),
		p.rollbackCommand(),
		p.deployCommand(),
		p.shipsCommand(),
		p.shipCommand(),
		p.historyCommand(),
		p.deliveriesCommand(),
		p.redeliverCommand(),
		p.whyCommand(),
		p.basesCommand(),
		p.auditCommand(),
		p.keyCommand(),
		p.configCommand(),
		p.validateCommand(),
		p.convertCommand(),
		p.serveCommand(),
		p.backupCommand(),
		p.restoreCommand(),
		p.demoCommand(),
		p.versionCommand(),
		p.filesCommand(),
		p.probeCommand(),
	}
}

// unknown is what becomes of a command line that names no command.
func unknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	hint := "`batuta --help` lists the commands"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("unknown command %q", args[0]), Hint: hint}
}

// fileFlag adds -f. It is no flag of all commands, as logs has another one.
func (p *program) fileFlag(flags *pflag.FlagSet) {
	flags.StringVarP(&p.flags.file, "file", "f", "", "an environment document, ours or MaestroNG's, to act on without a server; - is stdin")
	flags.BoolVar(&p.flags.strict, "strict", false, "with -f: what a document is warned of is an error")
}

// arguments wants between least and most of them.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		return &batuta.Error{Kind: batuta.Invalid, Message: "usage: " + cmd.UseLine(), Hint: fmt.Sprintf("`%s --help` tells more", cmd.CommandPath())}
	}
}

// runID reads a run's number.
func runID(text string) (batuta.RunID, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a run's number", text), Hint: "`batuta runs` lists them"}
	}
	return batuta.RunID(id), nil
}

// optional is the argument at i, or empty.
func optional(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}
