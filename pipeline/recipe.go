package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"batuta"
	"batuta/builder"
	"batuta/internal/document"
)

// RecipeFile is where an app says what becomes of a push.
const RecipeFile = "batuta.yml"

// Recipe is what batuta.yml says: what to build, what starts a run, and the
// order of the environments.
type Recipe struct {
	App     batuta.AppName                      `json:"app"`
	Images  map[batuta.ImageName]builder.Recipe `json:"images"`
	On      Triggers                            `json:"on"`
	Promote []batuta.EnvironmentName            `json:"promote"`
}

// Triggers is which pushes start a run.
type Triggers struct {
	Push PushTrigger `json:"push" yaml:"push"`
}

// PushTrigger names the branches, as patterns of path.Match; the default is
// main and master.
type PushTrigger struct {
	Branches []string `json:"branches" yaml:"branches"`
}

// Wants tells whether a push to the ref starts a run, and if not, why.
func (r Recipe) Wants(ref string) (bool, string) {
	branch, ok := strings.CutPrefix(ref, "refs/heads/")
	if !ok {
		return false, ref + " is not a branch"
	}
	for _, pattern := range r.On.Push.Branches {
		if hit, _ := path.Match(pattern, branch); hit {
			return true, ""
		}
	}
	return false, fmt.Sprintf("branch %s is not among on.push.branches (%s)", branch, strings.Join(r.On.Push.Branches, ", "))
}

// recipeFile is batuta.yml as people write it.
type recipeFile struct {
	App    string                 `yaml:"app"`
	Images map[string]imageRecipe `yaml:"images"`
	On     Triggers               `yaml:"on"`
	Order  []string               `yaml:"promote"`
}

// imageRecipe is builder.Recipe as people write it.
type imageRecipe struct {
	Context    string            `yaml:"context"`
	Dockerfile string            `yaml:"dockerfile"`
	Target     string            `yaml:"target"`
	Args       map[string]string `yaml:"args"`
	Secrets    []string          `yaml:"secrets"`
	Static     string            `yaml:"static"`
}

// imageForm is one component of a repository's name.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
var imageForm = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$`)

// ParseRecipe reads a batuta.yml. All that is wrong with it comes back as
// batuta.Problems.
func ParseRecipe(file string, data []byte) (Recipe, error) { return parseRecipe(file, data, "") }

// parseRecipe reads the recipe of an app; of any, if app is empty.
func parseRecipe(file string, data []byte, app batuta.AppName) (Recipe, error) {
	var written recipeFile
	doc := document.Read(file, data, &written)
	r := Recipe{App: batuta.AppName(written.App), Images: map[batuta.ImageName]builder.Recipe{}, On: written.On}
	top := document.Path{}
	if err := batuta.CheckLabel(written.App); err != nil {
		problem(doc, top.At("app"), err)
	} else if app != "" && r.App != app {
		doc.Problem(top.At("app"), fmt.Sprintf("this is the repository of %s, not of %s", app, r.App), "give the app the same name here and in server.yml")
	}
	for _, name := range slices.Sorted(maps.Keys(written.Images)) {
		at := top.At("images", name)
		if !imageForm.MatchString(name) {
			doc.Problem(at, fmt.Sprintf("%q is not an image's name", name), "it becomes part of a repository's: use lower-case letters and digits, with single '.', '_' or '-' between them")
		}
		r.Images[batuta.ImageName(name)] = readImage(doc, at, written.Images[name])
	}
	if len(r.On.Push.Branches) == 0 {
		r.On.Push.Branches = []string{"main", "master"}
	}
	for i, pattern := range r.On.Push.Branches {
		if _, err := path.Match(pattern, ""); err != nil {
			doc.Problem(top.At("on", "push", "branches", fmt.Sprint(i)), fmt.Sprintf("%q is not a pattern", pattern), "write main, release/*, v[0-9]*")
		}
	}
	r.Promote = readOrder(doc, top.At("promote"), written.Order)
	return r, doc.Err()
}

// problem places an error that a check of the vocabulary found.
func problem(doc *document.Document, at document.Path, err error) {
	hint := ""
	if e, ok := errors.AsType[*batuta.Error](err); ok {
		hint = e.Hint
	}
	doc.Problem(at, err.Error(), hint)
}

func readImage(doc *document.Document, at document.Path, w imageRecipe) builder.Recipe {
	for key, value := range map[string]string{"context": w.Context, "dockerfile": w.Dockerfile, "static": w.Static} {
		if value != "" && !fs.ValidPath(path.Clean(value)) {
			doc.Problem(at.At(key), fmt.Sprintf("%q leads outside the repository", value), "write a path relative to the repository's top")
		}
	}
	if w.Static != "" && (w.Context != "" || w.Dockerfile != "" || w.Target != "" || len(w.Args) > 0 || len(w.Secrets) > 0) {
		doc.Problem(at.At("static"), "a static image takes no other key", "remove the others, or write a dockerfile instead of static")
	}
	return builder.Recipe{Context: w.Context, Dockerfile: w.Dockerfile, Target: w.Target, Args: w.Args, Secrets: w.Secrets, Static: w.Static}
}

func readOrder(doc *document.Document, at document.Path, names []string) []batuta.EnvironmentName {
	if len(names) == 0 {
		doc.Problem(at, "promote is missing", "list the environments in their order: promote: [qa, production]")
	}
	var order []batuta.EnvironmentName
	for i, name := range names {
		env := batuta.EnvironmentName(name)
		if err := batuta.CheckLabel(name); err != nil {
			problem(doc, at.At(fmt.Sprint(i)), err)
		}
		if slices.Contains(order, env) {
			doc.Problem(at.At(fmt.Sprint(i)), name+" stands twice", "")
		}
		order = append(order, env)
	}
	return order
}
