package pipeline

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"batuta"
	"batuta/builder"
	"batuta/internal/document"
)

// imageRecipe is builder.Recipe as people write it.
type imageRecipe struct {
	Context    string            `yaml:"context,omitempty"`
	Dockerfile string            `yaml:"dockerfile,omitempty"`
	Target     string            `yaml:"target,omitempty"`
	Platforms  []string          `yaml:"platforms,omitempty"`
	Args       map[string]string `yaml:"args,omitempty"`
	Secrets    []string          `yaml:"secrets,omitempty"`
	SSH        []string          `yaml:"ssh,omitempty"`
	Contexts   map[string]string `yaml:"contexts,omitempty"`
	Cache      imageCache        `yaml:"cache,omitempty"`
	NoCache    bool              `yaml:"no_cache"`
	Static     string            `yaml:"static,omitempty"`
}

// imageCache is builder.Cache as people write it.
type imageCache struct {
	From []string `yaml:"from,omitempty"`
	To   string   `yaml:"to,omitempty"`
}

// imageForm is one component of a repository's name.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
var imageForm = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$`)

func readImage(doc *document.Document, at document.Path, name string, all map[string]imageRecipe) builder.Recipe {
	w := all[name]
	if !imageForm.MatchString(name) {
		doc.Problem(at, fmt.Sprintf("%q is not an image's name", name), "it becomes part of a repository's: use lower-case letters and digits, with single '.', '_' or '-' between them")
	}
	for key, value := range map[string]string{"context": w.Context, "dockerfile": w.Dockerfile, "static": w.Static} {
		if value != "" && !fs.ValidPath(path.Clean(value)) {
			doc.Problem(at.At(key), fmt.Sprintf("%q leads outside the repository", value), "write a path relative to the repository's top")
		}
	}
	if w.Static != "" && !w.isStaticAlone() {
		doc.Problem(at.At("static"), "a static image takes no other key", "remove the others, or write a dockerfile instead of static")
	}
	w.check(doc, at)
	for _, key := range slices.Sorted(maps.Keys(w.Contexts)) {
		checkContextName(doc, at.At("contexts", key), key)
		checkContext(doc, at.At("contexts", key), w.Contexts[key], name, all)
	}
	return imageDefaults(builder.Recipe{
		Context: w.Context, Dockerfile: w.Dockerfile, Target: w.Target, Platforms: w.Platforms, Args: w.Args,
		Secrets: w.Secrets, SSH: w.SSH, Contexts: w.Contexts, Cache: builder.Cache{From: w.Cache.From, To: w.Cache.To},
		NoCache: w.NoCache, Static: w.Static,
	})
}

// check finds fault with what an image says of itself alone.
func (w imageRecipe) check(doc *document.Document, at document.Path) {
	if w.Target != "" && !targetForm.MatchString(w.Target) {
		doc.Problem(at.At("target"), fmt.Sprintf("%q is not a stage of a Dockerfile", w.Target), "write its name, as in FROM … AS build: build")
	}
	checkPlatforms(doc, at.At("platforms"), w.Platforms)
	for _, name := range slices.Sorted(maps.Keys(w.Args)) {
		if !variableForm.MatchString(name) {
			doc.Problem(at.At("args", name), fmt.Sprintf("%q is not a build argument's name", name), "write it as ARG has it: NODE_ENV")
		}
		checkNoSecret(doc, at.At("args", name), "build arguments, which the image's history shows", "name it under secrets, and read it with RUN --mount=type=secret,id=NAME", w.Args[name])
	}
	for key, list := range map[string][]string{"secrets": w.Secrets, "ssh": w.SSH} {
		for i, secret := range list {
			checkSecretName(doc, at.At(key, fmt.Sprint(i)), secret)
		}
	}
	for i, from := range w.Cache.From {
		checkReference(doc, at.At("cache", "from", fmt.Sprint(i)), from)
	}
	switch w.Cache.To {
	case "", "inline", "max", "none":
	default:
		doc.Problem(at.At("cache", "to"), fmt.Sprintf("%q is no way to keep the cache", w.Cache.To), "write inline, max or none")
	}
}

// imageDefaults fills in what an image is made of if nothing is said.
func imageDefaults(r builder.Recipe) builder.Recipe {
	if r.Static != "" {
		return r
	}
	r.Context = cmp.Or(r.Context, ".")
	r.Dockerfile = cmp.Or(r.Dockerfile, path.Join(r.Context, "Dockerfile"))
	r.Cache.To = cmp.Or(r.Cache.To, builder.CacheNone)
	return r
}

func (w imageRecipe) isStaticAlone() bool {
	return cmp.Or(w.Context, w.Dockerfile, w.Target, w.Cache.To) == "" && !w.NoCache &&
		len(w.Args)+len(w.Secrets)+len(w.SSH)+len(w.Contexts)+len(w.Platforms)+len(w.Cache.From) == 0
}

// schemeForm is how what is no path begins, as people write it: https:, git@.
var schemeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*[:@]`)

// contextHint is what a named context can be.
const contextHint = "write a path relative to the repository's top, image:NAME, app:NAME/IMAGE or docker-image://REFERENCE"

// checkContextName wants what FROM or COPY --from can name.
func checkContextName(doc *document.Document, at document.Path, name string) {
	if _, err := reference.ParseNormalizedNamed(strings.ToLower(name)); err != nil {
		doc.Problem(at, fmt.Sprintf("%q is nothing that FROM can name", name), "write a word, or the image whose place it takes: node:22")
	}
}

// checkContext refuses a named context that leads nowhere.
func checkContext(doc *document.Document, at document.Path, value, image string, all map[string]imageRecipe) {
	other, isImage := strings.CutPrefix(value, imageContext)
	_, there := all[other]
	switch {
	case isImage && other == image:
		doc.Problem(at, "an image cannot be made from itself", "name another image of the app")
	case isImage && !there:
		doc.Problem(at, fmt.Sprintf("no image %q", other), document.Suggest(other, slices.Sorted(maps.Keys(all))))
	case isImage:
	case strings.HasPrefix(value, dockerImage):
		checkReference(doc, at, strings.TrimPrefix(value, dockerImage))
	case strings.HasPrefix(value, appContext):
		if app, of, _ := readAppContext(value); batuta.CheckLabel(string(app)) != nil || !imageForm.MatchString(string(of)) {
			doc.Problem(at, fmt.Sprintf("%q names no image of an app", value), "write app:NAME/IMAGE")
		}
	case value == "", schemeForm.MatchString(value):
		doc.Problem(at, fmt.Sprintf("%q is not a context", value), contextHint)
	case !fs.ValidPath(path.Clean(value)):
		doc.Problem(at, fmt.Sprintf("%q leads outside the repository", value), contextHint)
	}
}

// What begins a named context that is another image of the app, or any.
const (
	imageContext = "image:"
	dockerImage  = "docker-image://"
)

// needs are the app's other images that an image is made from, by name.
func needs(r builder.Recipe) []batuta.ImageName {
	var others []batuta.ImageName
	for _, value := range r.Contexts {
		if name, ok := strings.CutPrefix(value, imageContext); ok {
			others = append(others, batuta.ImageName(name))
		}
	}
	slices.Sort(others)
	return slices.Compact(others)
}

// imageWaves is the order in which images can be built: those of a wave need
// only those of the waves before. What stands in a cycle is left over.
func imageWaves(images map[batuta.ImageName]builder.Recipe) (waves [][]batuta.ImageName, cycle []batuta.ImageName) {
	built := map[batuta.ImageName]bool{}
	for left := slices.Sorted(maps.Keys(images)); len(left) > 0; {
		var wave, later []batuta.ImageName
		for _, name := range left {
			if slices.ContainsFunc(needs(images[name]), func(n batuta.ImageName) bool { _, ours := images[n]; return ours && !built[n] }) {
				later = append(later, name)
			} else {
				wave = append(wave, name)
			}
		}
		if len(wave) == 0 {
			return waves, later
		}
		for _, name := range wave {
			built[name] = true
		}
		waves, left = append(waves, wave), later
	}
	return waves, nil
}

func checkImageOrder(doc *document.Document, at document.Path, images map[batuta.ImageName]builder.Recipe) {
	if _, cycle := imageWaves(images); len(cycle) > 1 {
		doc.Problem(at.At(string(cycle[0]), "contexts"), fmt.Sprintf("%s need each other", names(cycle)), "take one image: out")
	}
}

// names is a list of names for a person.
func names[T ~string](list []T) string { return strings.Join(texts(list), ", ") }

func texts[T ~string](list []T) []string {
	all := make([]string, len(list))
	for i, n := range list {
		all[i] = string(n)
	}
	return all
}
