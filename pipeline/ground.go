package pipeline

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"batuta"
	"batuta/builder"
)

// appContext begins a named context that is an image of the newest release of
// another app: app:NAME/IMAGE.
const appContext = "app:"

// readAppContext gives the app and the image that a named context is; ok tells
// whether it is of that kind.
func readAppContext(value string) (app batuta.AppName, image batuta.ImageName, ok bool) {
	text, ok := strings.CutPrefix(value, appContext)
	name, of, _ := strings.Cut(text, "/")
	return batuta.AppName(name), batuta.ImageName(of), ok
}

// ground is the images of other apps that a recipe stands on, by the name of
// its context.
type ground map[string]batuta.Image

// lay finds out what the images of other apps are that a recipe names, and
// gives the recipe with them by digest.
func (j *journey) lay(ctx context.Context, r builder.Recipe, log io.Writer) (builder.Recipe, ground, error) {
	found := ground{}
	contexts := maps.Clone(r.Contexts)
	for _, key := range slices.Sorted(maps.Keys(contexts)) {
		app, name, ok := readAppContext(contexts[key])
		if !ok {
			continue
		}
		image, number, err := j.newestImage(ctx, app, name)
		if err != nil {
			return r, nil, fmt.Errorf("context %s: %w", key, err)
		}
		fmt.Fprintf(log, "%s is %s of release %d of %s: %s\n", key, name, number, app, image)
		contexts[key], found[key] = "docker-image://"+image.String(), image
	}
	r.Contexts = contexts
	return r, found, nil
}

// newestImage is an image of the newest release of an app that this one may be
// built from.
func (j *journey) newestImage(ctx context.Context, app batuta.AppName, name batuta.ImageName) (batuta.Image, batuta.ReleaseNumber, error) {
	if _, known := j.Apps[app]; !known || !slices.Contains(j.app.Bases, app) {
		return batuta.Image{}, 0, &batuta.Error{
			Kind: batuta.Denied, Message: fmt.Sprintf("%s may not be built from images of %s", j.app.Name, app),
			Hint: fmt.Sprintf("name it in server.yml under apps.%s.bases", j.app.Name),
		}
	}
	releases, err := j.Store.Releases(ctx, app, 1)
	if err != nil {
		return batuta.Image{}, 0, err
	}
	if len(releases) == 0 {
		return batuta.Image{}, 0, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("%s has no release", app), Hint: "push it first"}
	}
	image, has := releases[0].Images[name]
	if !has {
		names := slices.Sorted(maps.Keys(releases[0].Images))
		return image, 0, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("release %d of %s has no image %q; it has %s", releases[0].Number, app, name, strings.Join(texts(names), ", "))}
	}
	return image, releases[0].Number, nil
}

// mark says of the bases of a build which of them are newest releases, and
// adds those that the builder does not know of.
func (g ground) mark(bases []builder.Base) []builder.Base {
	for _, key := range slices.Sorted(maps.Keys(g)) {
		at := slices.IndexFunc(bases, func(b builder.Base) bool { return repositoryOf(b.Reference) == g[key].Repository })
		if at < 0 {
			continue // the Dockerfile does not use the context
		}
		bases[at].Digest, bases[at].Newest = g[key].Digest, true
	}
	return bases
}
