package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/deployer/maestro"
	"batuta/internal/config"
	"batuta/pipeline"
)

// local puts one environment document into effect from here, on the ships that
// it names itself: batuta -f environments/qa.yml plan, or -f maestro.yaml start.
type local struct {
	p      *program
	doc    ownDocument
	scope  deployer.Scope
	ships  []deployer.ShipInfo
	fleet  *deployer.Fleet
	dialed []*docker.Ship
	images map[string]string // of --image
}

// ownDocument is an environment document of either format, with ships of its own.
type ownDocument interface {
	pipeline.Document
	Ships() []deployer.DocumentShip
}

var (
	_ ownDocument = (*deployer.Document)(nil)
	_ ownDocument = (*maestro.Document)(nil)
)

// errNeedsServer is the answer to -f for a command that asks a server.
var errNeedsServer = &batuta.Error{
	Kind: batuta.Invalid, Message: "-f goes with plan, deploy, status, logs and MaestroNG's verbs",
	Hint: "the other commands ask a server",
}

// orLocal makes a command that asks a server put the document of -f into
// effect instead, if one is given; then it takes these arguments.
func (p *program) orLocal(cmd *cobra.Command, local cobra.PositionalArgs, act func(context.Context, *local, []string) error) *cobra.Command {
	args, run := cmd.Args, cmd.RunE
	cmd.Annotations = map[string]string{"file": "yes"}
	if cmd.Flags().ShorthandLookup("f") == nil {
		p.fileFlag(cmd.Flags())
	}
	cmd.Args = func(cmd *cobra.Command, given []string) error {
		if p.flags.file != "" {
			return local(cmd, given)
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
		return errors.Join(act(cmd.Context(), l, args), l.close())
	}
	return cmd
}

// fitting refuses flags that would have no effect with -f, or without.
func (p *program) fitting(cmd *cobra.Command) error {
	senseless, where := []string{"image", "strict", "full", "show-hosts", "concurrency", "with-dependencies", "ignore-dependencies", "container-filter", "ship-filter"}, "only with -f"
	if p.flags.file != "" {
		senseless, where = []string{"from", "release", "for", "detach", "url", "times"}, "not with -f"
	}
	for _, name := range senseless {
		if cmd.Flags().Changed(name) {
			return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("--%s makes sense %s", name, where)}
		}
	}
	return nil
}

// local reads a document, from stdin if its name is -, and prepares to reach
// its ships.
func (p *program) local(file string) (*local, error) {
	l, err := p.read(file)
	if err != nil {
		return nil, err
	}
	if len(l.doc.Ships()) == 0 {
		return nil, batuta.Problems{{File: file, Line: 1, Column: 1, Message: "the document has no ships of its own", Hint: "add ships: and a name with the endpoint of a Docker (in a MaestroNG file, its ip and docker_port or socket_path), or deploy through a server"}}
	}
	return l, l.dial()
}

func (p *program) read(file string) (*local, error) {
	data, err := p.text(file)
	if err != nil {
		return nil, err
	}
	l := &local{p: p}
	if deployer.Ours(data) {
		doc, err := deployer.Parse(file, data)
		if err != nil {
			return nil, err
		}
		l.doc = doc
		l.scope, err = scopeOf(file)
		return l, err
	}
	env := map[string]string{}
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	dir := filepath.Dir(file)
	if file == "-" {
		dir = "."
	}
	doc, err := maestro.Read(file, data, maestro.Options{Env: env, Dir: dir, Strict: p.flags.strict})
	l.doc, l.scope = doc, doc.Scope()
	return l, err
}

func (p *program) text(file string) ([]byte, error) {
	data, err := []byte(nil), error(nil)
	if file == "-" {
		data, err = io.ReadAll(io.LimitReader(p.stdin, 1<<24))
	} else {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, &batuta.Error{Kind: batuta.NotFound, Message: "read the document", Err: err}
	}
	return data, nil
}

// scopeOf is the app that the batuta.yml beside the document's directory names,
// if there is one, and the environment that the document's own name says.
func scopeOf(file string) (deployer.Scope, error) {
	env := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if file == "-" {
		env = "stdin"
	}
	if err := batuta.CheckLabel(env); err != nil {
		return deployer.Scope{}, fmt.Errorf("the document's name is its environment's: %w", err)
	}
	scope := deployer.Scope{Environment: batuta.EnvironmentName(env)}
	path, err := filepath.Abs(file)
	if err != nil {
		return deployer.Scope{}, err
	}
	recipe, err := recipeBeside(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return scope, nil
	case err != nil:
		return deployer.Scope{}, &batuta.Error{Kind: batuta.Invalid, Message: "cannot tell which app " + file + " belongs to", Hint: "mend the " + pipeline.RecipeFile + " beside its directory", Err: err}
	}
	scope.App = recipe.App
	return scope, nil
}

func (l *local) dial() error {
	ships, addresses := map[batuta.ShipName]deployer.Ship{}, map[batuta.ShipName]string{}
	options := docker.Options{Auth: l.login, Late: true}
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
	l.fleet = deployer.New(ships, deployer.Options{Addresses: addresses, Holder: holder()})
	return nil
}

// holder is who is said to hold an environment's lease: this person, and this
// process, as the person may have two that are not to hold it together.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "a host without a name"
	}
	return fmt.Sprintf("%s@%s (process %d)", whoami(), host, os.Getpid())
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

// input is what the document is resolved with here, without any image's
// digest.
func (l *local) input() (deployer.Input, error) {
	key, err := l.p.key()
	return deployer.Input{
		Scope: l.scope, Ships: l.ships, OwnShips: true, Allow: deployer.Everything(),
		Images: map[batuta.ImageName]batuta.Image{}, Pins: map[string]batuta.Image{}, Secret: l.secret, Key: key,
	}, err
}

// spec resolves the document for the verbs, which ask no registry. What runs
// is asked if the document leaves to Batuta where it does, so that it stays.
func (l *local) spec(ctx context.Context) (deployer.Spec, error) {
	if _, ours := l.doc.(*deployer.Document); ours {
		return l.resolve(ctx, l.fleet.Observe(ctx, l.scope).Containers)
	}
	return l.resolve(ctx, nil)
}

// declared resolves the document without asking anybody.
func (l *local) declared(ctx context.Context) (deployer.Spec, error) { return l.resolve(ctx, nil) }

func (l *local) resolve(ctx context.Context, have []deployer.Container) (deployer.Spec, error) {
	in, err := l.input()
	if err != nil {
		return deployer.Spec{}, err
	}
	in.Unpinned, in.Current = true, have
	for name, reference := range l.images {
		if in.Images[batuta.ImageName(name)], err = l.pinner([]string{reference}).Pin(ctx, reference); err != nil {
			return deployer.Spec{}, fmt.Errorf("--image %s: %w", name, err)
		}
	}
	return l.resolved(in)
}

// resolved resolves the document, and shows once what it is better changed in,
// or refuses it for that.
func (l *local) resolved(in deployer.Input) (deployer.Spec, error) {
	spec, err := l.doc.Resolve(in)
	if err == nil && l.p.flags.strict {
		err = spec.Warnings.Err()
	}
	if err != nil {
		return deployer.Spec{}, err
	}
	for _, w := range spec.Warnings {
		fmt.Fprintln(l.p.stderr, "warning:", w)
	}
	return spec, nil
}

// secret is what ${secret:db_password} means without a server: the variable
// BATUTA_SECRET_DB_PASSWORD.
func (l *local) secret(name string) (string, bool) { return l.p.secret(name) }

func (p *program) secret(name string) (string, bool) {
	value := p.getenv("BATUTA_SECRET_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name)))
	return value, value != ""
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
