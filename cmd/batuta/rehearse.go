package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/builder"
	"batuta/deployer/docker"
	"batuta/deployer/trial"
	"batuta/internal/gitsource"
	"batuta/internal/registry"
	"batuta/internal/store"
	"batuta/pipeline"
)

// unborn is the revision of a working copy, which need not be committed.
const unborn = batuta.Revision("0000000000000000000000000000000000000000")

// rehearsal builds and tests a working copy on one Docker Engine, through a
// registry that is gone afterwards.
type rehearsal struct {
	p        *program
	copy     string // the working copy
	dir      string // what it needs meanwhile
	recipe   pipeline.Recipe
	registry string // host:port
	token    string
	ship     *docker.Ship
	builder  *builder.Builder
	close    []func() error // in the order of opening
}

// rehearse does without a server what a push would do up to its release.
func (p *program) rehearse(ctx context.Context, dir, engine string) (err error) {
	text, err := os.ReadFile(filepath.Join(dir, pipeline.RecipeFile))
	if err != nil {
		return &batuta.Error{Kind: batuta.NotFound, Message: "read " + pipeline.RecipeFile, Hint: "run it in an app's working copy", Err: err}
	}
	r := &rehearsal{p: p, copy: dir, token: rand.Text()}
	if r.recipe, err = pipeline.ParseRecipe(pipeline.RecipeFile, text); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.end()) }()
	if err := r.open(ctx, engine); err != nil {
		return err
	}
	return r.run(ctx)
}

func (r *rehearsal) open(ctx context.Context, engine string) (err error) {
	if r.dir, err = os.MkdirTemp("", "batuta-run-"); err != nil {
		return err
	}
	r.close = append(r.close, func() error { return os.RemoveAll(r.dir) })
	if err := r.openRegistry(ctx); err != nil {
		return err
	}
	options := docker.Options{Auth: func(host string) (string, string, bool) { return robotName, r.token, host == r.registry }}
	binary, err := staticSelf()
	if err == nil {
		options.Runtime = runtimeImage{binary}
	}
	if r.ship, err = docker.Dial("here", engine, options); err != nil {
		return err
	}
	r.close = append(r.close, r.ship.Close, func() error {
		work, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		return r.ship.RemoveImages(work, r.registry+"/")
	})
	r.builder, err = builder.New(builder.Config{Endpoint: "docker+" + engine, Binary: binary, Insecure: true})
	if err == nil {
		r.close = append(r.close, r.builder.Close)
	}
	return err
}

// openRegistry serves a registry at a port of this machine alone, with a
// password of its own. Docker trusts such a registry without a certificate.
func (r *rehearsal) openRegistry(ctx context.Context) error {
	images, err := registry.New(ctx, registry.Config{Dir: filepath.Join(r.dir, "registry"), Log: slog.New(slog.DiscardHandler), Authorize: func(_ context.Context, _, password string, _ registry.Access) registry.Decision {
		if same(password, r.token) {
			return registry.Granted
		}
		return registry.Unknown
	}})
	if err != nil {
		return err
	}
	r.close = append(r.close, images.Close)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("serve a registry: %w", err)
	}
	r.registry = listener.Addr().String()
	web := &http.Server{Handler: images, ReadHeaderTimeout: headerTimeout}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	r.close = append(r.close, func() error {
		err := web.Close()
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return err
	})
	return nil
}

// run goes through the steps, and shows what they print as `batuta logs` does.
func (r *rehearsal) run(ctx context.Context) error {
	logs, err := pipeline.NewFileLogs(filepath.Join(r.dir, "logs"))
	if err != nil {
		return err
	}
	kept, err := store.Open(ctx, filepath.Join(r.dir, "data"))
	if err != nil {
		return err
	}
	r.close = append(r.close, kept.Close)
	c := pipeline.Config{
		Store: kept, Source: r, Builder: r.builder, Pinner: r, Logs: logs, Log: slog.New(slog.DiscardHandler), Backoff: time.Second,
		Tester: trial.New(r.ship, fmt.Sprintf("local:%d:%s", os.Getpid(), r.token), 4),
		Dir:    filepath.Join(r.dir, "runs"), Artifacts: filepath.Join(r.dir, "artifacts"),
	}
	ended, shown := make(chan struct{}), make(chan error, 1)
	over := func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}
	go func() { shown <- logs.Follow(context.WithoutCancel(ctx), 1, 0, over, r.p.logPrinter(false, false)) }()
	err = pipeline.Rehearse(ctx, c, r.app(), unborn, r.recipe)
	close(ended)
	return errors.Join(err, <-shown)
}

// app is what a server would know of the app.
func (r *rehearsal) app() pipeline.App {
	app := pipeline.App{
		Name: r.recipe.App, Images: r.registry + "/" + string(r.recipe.App), Registry: r.registry, Secrets: map[string]string{},
		Login: func(host string) builder.Login {
			if host != r.registry {
				return builder.Login{}
			}
			return builder.Login{User: robotName, Password: r.token}
		},
	}
	for _, name := range r.recipe.Secrets() {
		if value, ok := r.p.secret(name); ok {
			app.Secrets[name] = value
		}
	}
	return app
}

// Pin gives the digest of a reference, with the person's own docker login.
func (r *rehearsal) Pin(ctx context.Context, _ batuta.AppName, reference string) (batuta.Image, error) {
	return registry.Pinner{{Address: registryHost(reference), Own: true}}.Pin(ctx, reference)
}

// Fetch copies the working copy as it is, but for its history.
func (r *rehearsal) Fetch(ctx context.Context, _ gitsource.Repository, _ string, rev batuta.Revision, dir string) (gitsource.Tree, error) {
	tree := gitsource.Tree{Dir: dir, Revision: rev, Message: "the working copy " + r.copy}
	entries, err := os.ReadDir(r.copy)
	if err != nil {
		return tree, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return tree, err
	}
	for _, e := range entries {
		from, to := filepath.Join(r.copy, e.Name()), filepath.Join(dir, e.Name())
		switch {
		case ctx.Err() != nil:
			return tree, ctx.Err()
		case e.Name() == ".git":
		case e.IsDir():
			err = os.CopyFS(to, os.DirFS(from))
		case e.Type()&os.ModeSymlink != 0:
			err = copyLink(from, to)
		default:
			err = copyFile(from, to)
		}
		if err != nil {
			return tree, fmt.Errorf("copy %s: %w", e.Name(), err)
		}
	}
	return tree, nil
}

func copyLink(from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	return os.Symlink(target, to)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// end closes what was opened, the last first.
func (r *rehearsal) end() error {
	var all []error
	for _, part := range slices.Backward(r.close) {
		all = append(all, part())
	}
	return errors.Join(all...)
}

// localEngine is the Docker Engine of this machine, as Docker's own command
// finds it.
func (p *program) localEngine() string {
	return cmp.Or(strings.TrimSpace(p.getenv("DOCKER_HOST")), "unix:///var/run/docker.sock")
}
