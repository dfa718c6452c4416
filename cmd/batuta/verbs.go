package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/audit"
	"batuta/deployer/maestro"
)

// verbCommands are MaestroNG's verbs that have no meaning on a server: each
// does one thing to the instances of the document of -f.
func (p *program) verbCommands() []*cobra.Command {
	return []*cobra.Command{
		p.verb(deployer.PlayStart, "Start instances of a document, and what they require"),
		p.verb(deployer.PlayStop, "Stop instances of a document"),
		p.verb(deployer.PlayRestart, "Restart instances of a document: pull first, then one of each service at a time"),
		p.verb(deployer.PlayKill, "Kill instances of a document"),
		p.verb(deployer.PlayPull, "Pull the images of a document's instances"),
		p.verb(deployer.PlayClean, "Remove stopped containers of a document"),
		p.deptreeCommand(),
		p.dumpCommand(),
		p.candidatesCommand(),
	}
}

// verb is a command that plays an order.
func (p *program) verb(v deployer.Verb, short string) *cobra.Command {
	o := &deployer.Order{Verb: v}
	cmd := &cobra.Command{
		Use: string(v) + " [SERVICE | INSTANCE...]", Short: short,
		Long: short + ".\n\nIt needs no server, but -f FILE: a document with ships of its own, MaestroNG's or ours.\n" +
			"Exit codes: 0 if all went well, 1 if anything did not.",
		Example: fmt.Sprintf("  batuta -f maestro.yaml %s\n  batuta -f environments/qa.yml %s web-1", v, v),
	}
	cmd.ValidArgsFunction = p.completeThings
	orderFlags(cmd, o)
	images := imageFlag(cmd)
	cmd.RunE = p.orNothing(cmd)
	return p.orLocal(cmd, cobra.ArbitraryArgs, func(ctx context.Context, l *local, things []string) error {
		o.Things, l.images = things, *images
		return failedVerb(l.play(ctx, *o))
	})
}

// orNothing refuses a command that makes sense only with -f, without it.
func (p *program) orNothing(cmd *cobra.Command) func(*cobra.Command, []string) error {
	cmd.Args = cobra.ArbitraryArgs
	return func(cmd *cobra.Command, _ []string) error {
		return &batuta.Error{Kind: batuta.Invalid, Message: cmd.Name() + " needs a document", Hint: fmt.Sprintf("batuta -f maestro.yaml %s", cmd.Name())}
	}
}

// chooseFlags adds the flags that choose what a verb is about.
func chooseFlags(cmd *cobra.Command, o *deployer.Order) {
	flags := cmd.Flags()
	flags.IntVarP(&o.Concurrency, "concurrency", "c", 0, "act on so many instances at once (default: all that can)")
	flags.BoolVarP(&o.WithDependencies, "with-dependencies", "d", false, "also what they depend on; of stop, kill and restart: what depends on them")
	flags.BoolVarP(&o.IgnoreDependencies, "ignore-dependencies", "i", false, "all at once, whatever depends on what")
	flags.StringVarP(&o.Containers, "container-filter", "C", "", "only instances whose name matches the glob")
	flags.StringVarP(&o.Ships, "ship-filter", "S", "", "only instances on ships whose name matches the glob")
	cmd.MarkFlagsMutuallyExclusive("with-dependencies", "ignore-dependencies")
}

func orderFlags(cmd *cobra.Command, o *deployer.Order) {
	chooseFlags(cmd, o)
	flags := cmd.Flags()
	if v := o.Verb; v == deployer.PlayStop || v == deployer.PlayKill || v == deployer.PlayRestart {
		flags.BoolVarP(&o.ExpandServices, "expand-services", "s", false, "a service means all its instances")
		flags.BoolVarP(&o.All, "all", "a", false, "everything, if nothing is named")
	}
	if o.Verb == deployer.PlayStart || o.Verb == deployer.PlayRestart {
		flags.BoolVarP(&o.Refresh, "refresh-images", "r", false, "pull the images even if the ships have some")
		flags.BoolVar(&o.Reuse, "reuse", false, "start the stopped container again rather than make another")
		cmd.MarkFlagsMutuallyExclusive("refresh-images", "reuse")
	}
	if o.Verb == deployer.PlayRestart {
		secondsFlag(cmd, &o.StepDelay, "step-delay", "wait between two steps")
		secondsFlag(cmd, &o.StopStartDelay, "stop-start-delay", "wait between stop and start")
		flags.BoolVar(&o.OnlyIfChanged, "only-if-changed", false, "leave alone what runs its image of today as declared")
	}
}

// secondsFlag adds a duration that is also taken as a bare number of seconds,
// as MaestroNG has it.
func secondsFlag(cmd *cobra.Command, d *time.Duration, name, usage string) {
	cmd.Flags().Var((*seconds)(d), name, usage)
}

// seconds is a duration of the command line.
type seconds time.Duration

// String is the duration as it is written.
func (s *seconds) String() string { return time.Duration(*s).String() }

// Set takes 5, 5s or 1m30s.
func (s *seconds) Set(text string) error {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		*s = seconds(time.Duration(n) * time.Second)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("write seconds, or a number and a unit: 5, 5s, 1m30s")
	}
	*s = seconds(d)
	return nil
}

// Type names the values in the help.
func (s *seconds) Type() string { return "seconds" }

// play carries out an order on the document's ships, and tells its auditors.
func (l *local) play(ctx context.Context, o deployer.Order) error {
	spec, err := l.spec(ctx)
	if err != nil {
		return err
	}
	o.Source = l.source
	play, err := deployer.NewPlay(spec, o)
	if err != nil {
		return err
	}
	bill := l.p.playbill(play.Cues())
	trail := audit.New(l.auditors(), string(o.Verb), whoami(), l.targets(play))
	err = trail.Around(ctx, func() error {
		return l.fleet.Play(ctx, play, func(c deployer.Cue) {
			bill.cue(c)
			trail.Cue(ctx, c)
		})
	})
	bill.end()
	return err
}

func (l *local) auditors() []maestro.Auditor {
	if d, ok := l.doc.(*maestro.Document); ok {
		return d.Audit()
	}
	return nil
}

func (l *local) targets(p deployer.Play) []audit.Target {
	var out []audit.Target
	for _, c := range p.Cues() {
		t := audit.Target{Name: string(c.Instance), Service: string(c.Service)}
		for _, s := range l.ships {
			if s.Name == c.Ship {
				t.Ship = s.Address
			}
		}
		out = append(out, t)
	}
	return out
}

func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "somebody"
}

// answered tells whether a registry's error is one of these status codes. The
// Engine tells the code in its text, or what it means.
func answered(err error, codes []int) bool {
	return slices.ContainsFunc(codes, func(code int) bool {
		words := strings.FieldsFunc(err.Error(), func(r rune) bool { return r < '0' || r > '9' })
		switch {
		case slices.Contains(words, strconv.Itoa(code)):
			return true
		case code == http.StatusNotFound:
			return errors.Is(err, batuta.NotFound)
		case code == http.StatusUnauthorized, code == http.StatusForbidden:
			return errors.Is(err, batuta.Denied)
		case code >= http.StatusInternalServerError, code == http.StatusTooManyRequests:
			return errors.Is(err, batuta.Unavailable)
		}
		return false
	})
}

// verbFailed is the end of a verb that did not go well: as with MaestroNG, its
// exit code is 1, whatever the reason.
type verbFailed struct{ error }

// Unwrap gives the reason.
func (v verbFailed) Unwrap() error { return v.error }

func failedVerb(err error) error {
	if err == nil {
		return nil
	}
	if _, wrong := errors.AsType[batuta.Problems](err); wrong {
		return err
	}
	return verbFailed{err}
}
