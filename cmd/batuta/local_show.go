package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/deployer/maestro"
)

func (p *program) deptreeCommand() *cobra.Command {
	var deep bool
	cmd := &cobra.Command{Use: "deptree [SERVICE | INSTANCE...]", Short: "Show what the services of a document require"}
	cmd.Flags().BoolVarP(&deep, "recursive", "r", false, "also what those require, and so on")
	cmd.RunE = p.orNothing(cmd)
	return p.orLocal(cmd, cobra.ArbitraryArgs, func(ctx context.Context, l *local, things []string) error {
		spec, err := l.declared(ctx)
		if err != nil {
			return err
		}
		text, err := spec.Tree(things, deep)
		fmt.Fprint(l.p.stdout, text)
		return failedVerb(err)
	})
}

// candidatesCommand is MaestroNG's completion, for shells that call it.
func (p *program) candidatesCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "complete [--] [WORD...]", Short: "List what may come next on a command line about a document", Hidden: true}
	cmd.RunE = p.orNothing(cmd)
	return p.orLocal(cmd, cobra.ArbitraryArgs, func(ctx context.Context, l *local, tokens []string) error {
		spec, err := l.declared(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(l.p.stdout, strings.Join(candidates(strings.Fields(strings.Join(tokens, " ")), spec.Words()), " "))
		return nil
	})
}

// verbWords are the words that may come first.
func verbWords() []string {
	return []string{"clean", "complete", "deploy", "deptree", "dump", "kill", "logs", "plan", "pull", "restart", "start", "status", "stop"}
}

// candidates complete a line: the program, a verb, things.
func candidates(line, things []string) []string {
	line = slices.DeleteFunc(line, func(word string) bool { return strings.HasPrefix(word, "-") })
	choices, prefix := verbWords(), ""
	switch {
	case len(line) == 2 && !slices.Contains(choices, line[1]):
		prefix = line[1]
	case len(line) == 2:
		choices = things
	case len(line) > 2:
		choices, prefix = things, line[len(line)-1]
	}
	return slices.DeleteFunc(slices.Clone(choices), func(c string) bool { return !strings.HasPrefix(c, prefix) })
}

// dump is a document as it is resolved.
type dump struct {
	Environment string                                  `json:"environment"`
	Schema      any                                     `json:"schema"` // 1 or 2 of MaestroNG's; "batuta: 1" of ours
	Ships       map[batuta.ShipName]dumpedShip          `json:"ships"`
	Services    map[batuta.ServiceName]dumpedService    `json:"services"`
	Instances   map[batuta.InstanceName]dumpedContainer `json:"instances"`
	StartOrder  []batuta.InstanceName                   `json:"start_order"`
	StopOrder   []batuta.InstanceName                   `json:"stop_order"`
}

type dumpedShip struct {
	Address  string            `json:"address"`
	Endpoint string            `json:"endpoint"`
	Labels   map[string]string `json:"labels,omitempty"`
}

type dumpedService struct {
	deployer.Service
	Instances []batuta.InstanceName `json:"instances"`
}

type dumpedContainer struct {
	Service     batuta.ServiceName `json:"service"`
	Ship        batuta.ShipName    `json:"ship"`
	Create      json.RawMessage    `json:"create"` // as the Engine gets it
	Checks      []deployer.Check   `json:"checks"`
	Lifecycle   deployer.Lifecycle `json:"lifecycle,omitzero"`
	StopTimeout int                `json:"stop_timeout"` // seconds
}

func (p *program) dumpCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "dump [SERVICE | INSTANCE...]", Short: "Show what a document means: every container as its ship's Engine is told to make it"}
	f := formatFlag(cmd.Flags())
	cmd.Flags().BoolP("config", "c", true, "the document itself, which is all there is")
	cmd.RunE = p.orNothing(cmd)
	return p.orLocal(cmd, cobra.ArbitraryArgs, func(ctx context.Context, l *local, things []string) error {
		spec, err := l.declared(ctx)
		if err != nil {
			return err
		}
		d, err := l.dump(spec, things)
		if err != nil {
			return failedVerb(err)
		}
		return show(l.p, f, d, l.p.printDump)
	})
}

// dump shows the whole document, or of its instances those that are named.
func (l *local) dump(spec deployer.Spec, things []string) (dump, error) {
	play, err := deployer.NewPlay(spec, deployer.Order{Verb: deployer.PlayStatus, Things: things})
	if err != nil {
		return dump{}, err
	}
	shown := map[batuta.InstanceName]bool{}
	for _, c := range play.Cues() {
		shown[c.Instance] = true
	}
	d := dump{
		Environment: string(l.scope.Environment), Schema: "batuta: 1",
		Ships:    map[batuta.ShipName]dumpedShip{},
		Services: map[batuta.ServiceName]dumpedService{}, Instances: map[batuta.InstanceName]dumpedContainer{},
	}
	if m, ok := l.doc.(*maestro.Document); ok {
		d.Environment, d.Schema = m.Name(), m.Schema()
	}
	for n, s := range l.doc.Ships() {
		d.Ships[s.Name] = dumpedShip{Address: l.ships[n].Address, Endpoint: s.Endpoint, Labels: s.Labels}
	}
	for name, s := range spec.Services {
		d.Services[name] = dumpedService{Service: s, Instances: []batuta.InstanceName{}}
	}
	for _, i := range spec.Instances {
		if len(things) > 0 && !shown[i.Name] { // what omit leaves out is in the whole
			continue
		}
		create, err := docker.CreateBody(spec.Scope, spec.Release, i)
		if err != nil {
			return dump{}, fmt.Errorf("%s: %w", i.Name, err)
		}
		d.Instances[i.Name] = dumpedContainer{
			Service: i.Service, Ship: i.Ship, Create: create, Checks: append([]deployer.Check{}, i.Checks...),
			Lifecycle: i.Lifecycle, StopTimeout: int(i.StopTimeout.Seconds()),
		}
		s := d.Services[i.Service]
		s.Instances = append(s.Instances, i.Name)
		d.Services[i.Service] = s
	}
	for _, c := range play.Cues() {
		d.StartOrder = append(d.StartOrder, c.Instance)
	}
	d.StopOrder = slices.Clone(d.StartOrder)
	slices.Reverse(d.StopOrder)
	return d, nil
}

// printDump prints it as YAML.
func (p *program) printDump(d dump) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return err
	}
	out := yaml.NewEncoder(p.stdout)
	out.SetIndent(2)
	return out.Encode(plain)
}

// completeThings completes services and instances of the document of -f.
func (p *program) completeThings(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if p.flags.file == "" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	l, err := p.local(p.flags.file)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer l.close() //nolint:errcheck // nothing was reached
	spec, err := l.declared(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	words := map[string]bool{}
	for _, w := range spec.Words() {
		words[w] = !slices.Contains(given, w)
	}
	maps.DeleteFunc(words, func(_ string, wanted bool) bool { return !wanted })
	return slices.Sorted(maps.Keys(words)), cobra.ShellCompDirectiveNoFileComp
}
