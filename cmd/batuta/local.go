package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/config"
	"batuta/internal/registry"
	"batuta/pipeline"
)

// local puts one environment document into effect from here, on the ships that
// it names itself: batuta -f environments/qa.yml plan, deploy, status.
type local struct {
	p      *program
	doc    *deployer.Document
	scope  deployer.Scope
	ships  []deployer.ShipInfo
	fleet  *deployer.Fleet
	dialed []*docker.Ship
}

// errNeedsServer is the answer to -f for a command that asks a server.
var errNeedsServer = &batuta.Error{Kind: batuta.Invalid, Message: "-f goes with plan, deploy and status", Hint: "the other commands ask a server"}

// orLocal makes a command that asks a server put the document of -f into
// effect instead, if one is given; then it takes no arguments.
func (p *program) orLocal(cmd *cobra.Command, act func(context.Context, *local) error) *cobra.Command {
	args, run := cmd.Args, cmd.RunE
	cmd.Annotations = map[string]string{"file": "yes"}
	p.fileFlag(cmd.Flags())
	cmd.Args = func(cmd *cobra.Command, given []string) error {
		if p.flags.file != "" {
			return arguments(0, 0)(cmd, given)
		}
		return args(cmd, given)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := p.fitting(cmd); err != nil {
			return err
		}
		if p.flags.file == "" {
			return run(cmd, args)
		}
		l, err := p.local(p.flags.file)
		if err != nil {
			return err
		}
		return errors.Join(act(cmd.Context(), l), l.close())
	}
	return cmd
}

// fitting refuses flags that would have no effect with -f, or without.
func (p *program) fitting(cmd *cobra.Command) error {
	senseless, where := []string{"image"}, "only with -f"
	if p.flags.file != "" {
		senseless, where = []string{"from", "release", "for", "detach", "url"}, "not with -f"
	}
	for _, name := range senseless {
		if cmd.Flags().Changed(name) {
			return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("--%s makes sense %s", name, where)}
		}
	}
	return nil
}

// local reads a document and prepares to reach its ships.
func (p *program) local(file string) (*local, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &batuta.Error{Kind: batuta.NotFound, Message: "read the document", Err: err}
	}
	l := &local{p: p}
	if l.doc, err = deployer.Parse(file, data); err != nil {
		return nil, err
	}
	if l.scope, err = scopeOf(file); err != nil {
		return nil, err
	}
	if len(l.doc.Ships()) == 0 {
		return nil, batuta.Problems{{File: file, Line: 1, Column: 1, Message: "the document has no ships of its own", Hint: "add ships: {here: {endpoint: unix:///var/run/docker.sock}}, or deploy through a server"}}
	}
	return l, l.dial()
}

// scopeOf is the app that the batuta.yml beside the document's directory names,
// and the environment that the document's own name says.
func scopeOf(file string) (deployer.Scope, error) {
	env := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if err := batuta.CheckLabel(env); err != nil {
		return deployer.Scope{}, fmt.Errorf("the document's name is its environment's: %w", err)
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return deployer.Scope{}, err
	}
	recipe, err := recipeBeside(path)
	if err != nil {
		return deployer.Scope{}, &batuta.Error{Kind: batuta.Invalid, Message: "cannot tell which app " + file + " belongs to", Hint: "put it into environments/, beside a valid " + pipeline.RecipeFile, Err: err}
	}
	return deployer.Scope{App: recipe.App, Environment: batuta.EnvironmentName(env)}, nil
}

func (l *local) dial() error {
	ships, addresses := map[batuta.ShipName]deployer.Ship{}, map[batuta.ShipName]string{}
	var options docker.Options
	if binary, err := staticSelf(); err == nil {
		options.Runtime = runtimeImage{binary}
	}
	for _, s := range l.doc.Ships() {
		options.Reach = s.Reach
		ship, err := docker.Dial(s.Name, s.Endpoint, options)
		if err != nil {
			return errors.Join(err, l.close())
		}
		l.dialed = append(l.dialed, ship)
		address := cmp.Or(s.Address, tunnelHost(s.Reach), config.EndpointHost(s.Endpoint))
		ships[s.Name], addresses[s.Name] = ship, address
		l.ships = append(l.ships, deployer.ShipInfo{Name: s.Name, Address: address, Labels: s.Labels})
	}
	l.fleet = deployer.New(ships, deployer.Options{Addresses: addresses})
	return nil
}

// tunnelHost is where a tunnel to a ship ends; empty if there is none, or where
// the endpoint is.
func tunnelHost(r deployer.Reach) string {
	if r.SSH == nil {
		return ""
	}
	return r.SSH.Host
}

func (l *local) close() error {
	var all []error
	for _, s := range l.dialed {
		all = append(all, s.Close())
	}
	return errors.Join(all...)
}

// plan compares what the document declares, with these images for what it
// builds, with what runs.
func (l *local) plan(ctx context.Context, images map[string]string) (deployer.Plan, error) {
	in := deployer.Input{
		Scope: l.scope, Ships: l.ships, OwnShips: true, Allow: deployer.Policy{Paths: []string{"/"}},
		Images: map[batuta.ImageName]batuta.Image{}, Pins: map[string]batuta.Image{}, Secret: l.secret,
	}
	for name, reference := range images {
		image, err := (registry.Pinner{}).Pin(ctx, reference)
		if err != nil {
			return deployer.Plan{}, fmt.Errorf("--image %s: %w", name, err)
		}
		in.Images[batuta.ImageName(name)] = image
	}
	for _, reference := range l.doc.References() {
		image, err := (registry.Pinner{}).Pin(ctx, reference)
		if err != nil {
			return deployer.Plan{}, err
		}
		in.Pins[reference] = image
	}
	key, err := l.p.key()
	if err != nil {
		return deployer.Plan{}, err
	}
	have := l.fleet.Observe(ctx, l.scope)
	in.Key, in.Current = key, have.Containers
	want, err := l.doc.Resolve(in)
	if err != nil {
		return deployer.Plan{}, err
	}
	return l.fleet.Compare(ctx, want, have), nil
}

// deploy shows the plan, asks, and applies it.
func (l *local) deploy(ctx context.Context, images map[string]string, yes bool) error {
	plan, err := l.plan(ctx, images)
	if err != nil {
		return err
	}
	fmt.Fprint(l.p.stdout, plan)
	if plan.Empty() {
		return nil
	}
	if !yes {
		if err := l.p.approve(ctx, "Go ahead?"); err != nil {
			return err
		}
	}
	outcome, err := l.fleet.Apply(ctx, plan, func(e deployer.Event) { fmt.Fprintln(l.p.stdout, e) })
	if err != nil {
		return fmt.Errorf("deploy %s: %w (%s)", l.scope.Environment, err, outcome.Status)
	}
	fmt.Fprintln(l.p.stdout, l.p.paint(green, fmt.Sprintf("%s is %s", l.scope.Environment, outcome.Status)))
	return nil
}

// status is what runs of the document's environment.
func (l *local) status(ctx context.Context) []pipeline.EnvironmentStatus {
	containers, unreachable := l.fleet.Status(ctx, l.scope)
	return []pipeline.EnvironmentStatus{{
		App: l.scope.App, Environment: l.scope.Environment, Containers: containers,
		Unreachable: slices.Sorted(maps.Keys(unreachable)),
	}}
}

// secret is what ${secret:db_password} means without a server: the variable
// BATUTA_SECRET_DB_PASSWORD.
func (l *local) secret(name string) (string, bool) {
	value := l.p.getenv("BATUTA_SECRET_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name)))
	return value, value != ""
}

// imageFlag adds --image to a command.
func imageFlag(cmd *cobra.Command) *map[string]string {
	images := map[string]string{}
	cmd.Flags().StringToStringVar(&images, "image", nil, "with -f: what build: NAME is, as NAME=REPOSITORY@DIGEST")
	return &images
}

// key is the person's own, to hash secrets with; it is made when it is first
// needed.
func (p *program) key() ([]byte, error) {
	path := filepath.Join(filepath.Dir(p.settingsPath()), "key")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("keep your key: %w", err)
	}
	return serverKey(path)
}
