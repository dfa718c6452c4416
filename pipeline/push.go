package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"batuta"
	"batuta/builder"
	"batuta/internal/gitsource"
)

// ReadStep is the step of a run that reads its recipe, and returns the
// Blueprint.
const ReadStep = "read"

// push is the run of a push: of a tag a look for it, then source, read, build,
// test, release, sign, deploy.
func (j *journey) push(ctx context.Context) error {
	if err := j.tagged(ctx); err != nil {
		return err
	}
	tree, err := step(ctx, j, "source", repeatable, j.source)
	if err != nil {
		return err
	}
	j.committed = tree.Time
	j.run.Push.Revision, j.run.Push.Message = tree.Revision, j.app.redact(batuta.Headline(tree.Message))
	if err := j.Store.SaveRun(context.WithoutCancel(ctx), j.lease, j.run); err != nil {
		return err
	}
	j.pokePost() // a run by hand has its revision only now
	if err := j.muted(ctx, tree); err != nil {
		return err
	}
	blueprint, err := step(ctx, j, ReadStep, repeatable, j.read)
	if err != nil {
		return err
	}
	blueprint.Recipe.complete()
	if err := j.wanted(ctx, blueprint.Recipe); err != nil {
		return err
	}
	release, err := j.make(ctx, blueprint)
	if err != nil || j.run.Push.Pull != nil {
		return err
	}
	j.run.Release, j.run.Environment = release.Number, cmp.Or(j.run.Environment, release.Order[0])
	if err := j.Store.SaveRun(context.WithoutCancel(ctx), j.lease, j.run); err != nil {
		return err
	}
	j.pokeBases()
	return j.deploy(ctx, release, j.run.Environment)
}

// make builds and tests what becomes a release, within the time that the
// recipe gives it.
func (j *journey) make(ctx context.Context, b Blueprint) (batuta.Release, error) {
	if b.Recipe.Retries != nil {
		j.retries = *b.Recipe.Retries
	}
	late := &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("it took longer than %s", b.Recipe.Timeout), Hint: "timeout in " + RecipeFile + " gives a run more time"}
	limited, cancel := context.WithDeadlineCause(ctx, j.run.Started.Add(b.Recipe.Timeout), late)
	defer cancel()
	release, err := j.makeWithin(limited, b)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(limited), late) {
		err = late
	}
	return release, err
}

func (j *journey) makeWithin(ctx context.Context, b Blueprint) (batuta.Release, error) {
	images, err := j.images(ctx, b.Recipe)
	if err != nil {
		return batuta.Release{}, err
	}
	if err := j.tests(ctx, b.Recipe, images); err != nil {
		return batuta.Release{}, err
	}
	if j.run.Push.Pull != nil { // it is not part of the app yet
		return batuta.Release{}, nil
	}
	release, err := step(ctx, j, "release", repeatable, j.release(b, images))
	if err != nil || j.Signer == nil {
		return release, err
	}
	_, err = step(ctx, j, signing, repeatable, j.sign(release))
	return release, err
}

// source fetches the revision's tree into the run's directory.
func (j *journey) source(ctx context.Context, log io.Writer) (gitsource.Tree, error) {
	dir := filepath.Join(j.dir(j.run.ID), "source")
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return gitsource.Tree{}, err
	}
	tree, err := j.Source.Fetch(ctx, j.app.Repository, j.run.Push.Ref, j.run.Push.Revision, dir)
	if err == nil {
		fmt.Fprintf(log, "%s %s\n", tree.Revision, tree.Message)
	}
	return tree, err
}

// read takes from the tree what the rest of the run goes by.
func (j *journey) read(ctx context.Context, log io.Writer) (Blueprint, error) {
	dir, err := j.tree(ctx, log)
	if err != nil {
		return Blueprint{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Blueprint{}, err
	}
	defer root.Close()
	shared, err := j.template(ctx, root.FS(), log)
	if err != nil {
		return Blueprint{}, err
	}
	b, err := j.app.blueprint(root.FS(), j.run.Environment, shared)
	for _, w := range b.Warnings {
		fmt.Fprintln(log, "warning:", w)
	}
	if err != nil {
		return b, err
	}
	return b, j.mayPushTo(ctx, b.Recipe.Promote, cmp.Or(j.run.Environment, b.Recipe.Promote[0]))
}

// mayPushTo refuses an environment that took a promotion, or that server.yml has
// rules of promotions for: what a repository
// says about the order of its environments does not make a push more than a
// push. One that does not stand in that order is for whoever asks for it.
func (j *journey) mayPushTo(ctx context.Context, order []batuta.EnvironmentName, env batuta.EnvironmentName) error {
	if _, guarded := j.app.Floors[env]; guarded {
		return &batuta.Error{
			Kind: batuta.Denied, Message: fmt.Sprintf("%s says by which rules %s takes promotions: nothing goes there that was just built", serverFile, env),
			Hint: "let another environment come first in promote, and promote from there",
		}
	}
	switch slices.Index(order, env) {
	case -1:
		return nil
	case 0:
	default:
		return &batuta.Error{
			Kind: batuta.Denied, Message: fmt.Sprintf("%s takes what ran before it, and nothing that was just built", env),
			Hint: fmt.Sprintf("run it in %s, then promote it; or give it an environment that is not in promote", order[0]),
		}
	}
	number, err := j.current(ctx, j.run.App, env)
	if err != nil || number == 0 {
		return err
	}
	live, err := j.Store.Release(ctx, j.run.App, number)
	if err != nil || live.Order[0] == env {
		return err
	}
	return &batuta.Error{
		Kind:    batuta.Denied,
		Message: fmt.Sprintf("%s has come to be first in %s, and what is live there was promoted from %s", env, RecipeFile, live.Order[0]),
		Hint:    "a push does not deploy where releases are promoted to: keep the order, or give the first environment another name",
	}
}

// tree is the directory of the run's tree, fetched again if it has gone since
// the step that fetched it: by the first that needs it, for all.
func (j *journey) tree(ctx context.Context, log io.Writer) (string, error) {
	j.fetching.Lock()
	defer j.fetching.Unlock()
	dir := filepath.Join(j.dir(j.run.ID), "source")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	_, err := j.source(ctx, log)
	return dir, err
}

// images builds all images of the recipe, those that do not need each other at
// the same time.
func (j *journey) images(ctx context.Context, r Recipe) (map[batuta.ImageName]batuta.Image, error) {
	built := map[batuta.ImageName]batuta.Image{}
	waves, _ := imageWaves(r.Images)
	for _, wave := range waves {
		images := make([]batuta.Image, len(wave))
		err := together(len(wave), func(i int) (err error) {
			images[i], err = step(ctx, j, "build "+string(wave[i]), repeatable, j.build(wave[i], r.Images[wave[i]], built))
			return err
		})
		if err != nil {
			return nil, err
		}
		for i, name := range wave {
			built[name] = images[i]
		}
	}
	return built, nil
}

// together does n things at the same time, all to their end: one that fails
// does not keep a person from learning of the others. The errors come in the
// order of the things.
func together(n int, do func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// build makes one image of the tree; built has those that it may be made from.
func (j *journey) build(name batuta.ImageName, recipe builder.Recipe, built map[batuta.ImageName]batuta.Image) func(context.Context, io.Writer) (batuta.Image, error) {
	return func(ctx context.Context, log io.Writer) (batuta.Image, error) {
		dir, err := j.tree(ctx, log)
		if err != nil {
			return batuta.Image{}, err
		}
		secrets, err := j.app.reveal(name, "secret", recipe.Secrets)
		if err != nil {
			return batuta.Image{}, err
		}
		keys, err := j.app.reveal(name, "SSH key", recipe.SSH)
		if err != nil {
			return batuta.Image{}, err
		}
		recipe, ground, err := j.lay(ctx, recipe, log)
		if err != nil {
			return batuta.Image{}, err
		}
		result, err := j.Builder.Build(ctx, builder.Request{
			App: j.app.Name, Image: name, Revision: j.run.Push.Revision, Time: j.committed,
			Source: dir, Recipe: recipe, Secrets: secrets, SSH: keys, Images: built,
			Repository: path.Join(j.app.Images, string(name)), Login: j.app.Login,
		}, log)
		if err != nil {
			return result.Image, err
		}
		fmt.Fprintln(log, result.Image)
		result.Bases = ground.mark(result.Bases)
		return result.Image, j.keepBuild(context.WithoutCancel(ctx), name, result, log)
	}
}

// reveal gives the secrets that an image's build asks for, by their ids; what
// is a word for what they are.
func (a App) reveal(image batuta.ImageName, what string, ids []string) (map[string][]byte, error) {
	secrets := map[string][]byte{}
	for _, id := range ids {
		value, ok := a.Secrets[id]
		if !ok {
			return nil, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("image %s asks for the %s %s, which the server does not have", image, what, id), Hint: "add it under apps." + string(a.Name) + ".secrets in server.yml"}
		}
		secrets[id] = []byte(value)
	}
	return secrets, nil
}

// release makes the release of the run: what was built, and what the other
// images of its documents mean now.
func (j *journey) release(b Blueprint, images map[batuta.ImageName]batuta.Image) func(context.Context, io.Writer) (batuta.Release, error) {
	return func(ctx context.Context, log io.Writer) (batuta.Release, error) {
		pins := map[string]batuta.Image{}
		for _, env := range slices.Sorted(maps.Keys(b.Documents)) {
			for _, reference := range ReadDocument(EnvironmentFile(env), []byte(b.Documents[env])).References() {
				var err error
				if pins[reference], err = j.Pinner.Pin(ctx, j.app.Name, reference); err != nil {
					return batuta.Release{}, fmt.Errorf("%s: image %s: %w", EnvironmentFile(env), reference, err)
				}
				fmt.Fprintf(log, "%s is %s\n", reference, pins[reference])
			}
		}
		r, err := j.Store.AddRelease(ctx, j.lease, batuta.Release{
			App: j.app.Name, Run: j.run.ID, Revision: j.run.Push.Revision, Message: j.run.Push.Message,
			Images: images, Pins: pins, Order: b.Recipe.Promote, Stages: b.Recipe.Stages, Notify: b.Recipe.Notify, Documents: b.Documents,
		})
		if err == nil {
			fmt.Fprintf(log, "release %d\n", r.Number)
		}
		return r, err
	}
}
