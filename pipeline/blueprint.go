package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"batuta"
	"batuta/deployer"
	"batuta/internal/document"
)

// Blueprint is all that one revision says about building and running itself:
// enough to finish the run without the tree.
type Blueprint struct {
	Recipe    Recipe                            `json:"recipe"`
	Documents map[batuta.EnvironmentName]string `json:"documents"`
	Warnings  batuta.Problems                   `json:"-"` // what a person should look at, and may leave
}

// EnvironmentFile is where the repository keeps an environment's document.
func EnvironmentFile(env batuta.EnvironmentName) string {
	return "environments/" + string(env) + ".yml"
}

// blueprint reads batuta.yml and the documents of the environments it names
// from the top of a tree. All that is wrong with them comes back at once, also
// what shows only against what the server grants: so that nothing is built
// that could not be deployed. Extra is an environment beside those; empty if
// there is none; shared is what batuta.yml includes, nil for nothing.
func (a App) blueprint(tree fs.FS, extra batuta.EnvironmentName, shared *template) (Blueprint, error) {
	b := Blueprint{Documents: map[batuta.EnvironmentName]string{}}
	data, err := readDocument(tree, RecipeFile)
	if errors.Is(err, fs.ErrNotExist) {
		return b, &batuta.Error{Kind: batuta.Invalid, Message: "the repository has no " + RecipeFile, Hint: "add one at its top; `batuta validate` checks it"}
	} else if err != nil {
		return b, err
	}
	b.Recipe, err = parseRecipe(RecipeFile, data, setting{&a, tree, shared})
	problems := asProblems(err)
	envs, named := b.Recipe.Promote, "%s names %s in promote"
	if extra != "" && !slices.Contains(envs, extra) {
		envs, named = append(slices.Clone(envs), extra), named+", or it was asked for"
	}
	for _, env := range envs {
		text, err := readDocument(tree, EnvironmentFile(env))
		if errors.Is(err, fs.ErrNotExist) {
			err = batuta.Problems{{File: EnvironmentFile(env), Line: 1, Column: 1, Message: "the file is missing", Hint: fmt.Sprintf(named, RecipeFile, env)}}
		}
		if err == nil {
			b.Documents[env] = string(text)
			var warnings batuta.Problems
			warnings, err = a.rehearse(env, text, b.Recipe)
			b.Warnings = append(b.Warnings, warnings...)
		}
		problems = append(problems, asProblems(err)...)
	}
	return b, problems.Err()
}

// readDocument reads a file that is no larger than a document may be.
func readDocument(tree fs.FS, file string) ([]byte, error) {
	info, err := fs.Stat(tree, file)
	if err != nil {
		return nil, err
	}
	if info.Size() > document.MaxBytes {
		return nil, batuta.Problems{{File: file, Line: 1, Column: 1, Message: fmt.Sprintf("the file has %d bytes", info.Size()), Hint: fmt.Sprintf("at most %d are read", document.MaxBytes)}}
	}
	text, err := fs.ReadFile(tree, file)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, batuta.Problems{{File: file, Line: 1, Column: 1, Message: "it cannot be read: " + e.Err.Error()}}
	}
	return text, err
}

// rehearse resolves an environment's document as it will be for a release,
// with made-up digests for the images that are not there yet, and gives what it
// warns of.
func (a App) rehearse(env batuta.EnvironmentName, text []byte, r Recipe) (batuta.Problems, error) {
	grant, err := a.grant(env)
	if e, ok := errors.AsType[*batuta.Error](err); ok {
		return nil, batuta.Problems{{File: EnvironmentFile(env), Line: 1, Column: 1, Message: e.Message, Hint: e.Hint}}
	}
	doc := ReadDocument(EnvironmentFile(env), text)
	madeUp := batuta.Image{Repository: a.Images, Digest: batuta.Digest("sha256:" + strings.Repeat("0", 64))}
	in := a.input(env, grant)
	in.Images, in.Pins = map[batuta.ImageName]batuta.Image{}, map[string]batuta.Image{}
	for name := range r.Images {
		in.Images[name] = madeUp
	}
	for _, reference := range doc.References() {
		in.Pins[reference] = madeUp
	}
	spec, err := a.resolve(doc, in)
	return spec.Warnings, err
}

// foreign tells whether an image is another app's.
func (a App) foreign(i batuta.Image) bool {
	return a.Registry != "" && strings.HasPrefix(i.Repository, a.Registry+"/") && !strings.HasPrefix(i.Repository+"/", a.Images+"/")
}

// resolve makes a document concrete, and refuses the images of other apps: the
// ships may pull them all.
func (a App) resolve(doc Document, in deployer.Input) (deployer.Spec, error) {
	spec, err := doc.Resolve(in)
	if err != nil {
		return spec, err
	}
	for _, i := range spec.Instances {
		if a.foreign(i.Image) {
			return spec, batuta.Problems{{
				File: EnvironmentFile(in.Scope.Environment), Line: 1, Column: 1, Path: "services." + string(i.Service),
				Message: fmt.Sprintf("%s is not an image of %s", i.Image.Repository, a.Name),
				Hint:    "an app uses the images that it builds, and those of registries outside",
			}}
		}
	}
	return spec, nil
}

// input is what the server knows when it resolves a document of the app.
func (a App) input(env batuta.EnvironmentName, g Grant) deployer.Input {
	return deployer.Input{
		Scope: deployer.Scope{App: a.Name, Environment: env}, Ships: g.Ships, Allow: g.Allow,
		Secret: func(name string) (string, bool) { s, ok := a.Secrets[name]; return s, ok },
	}
}

// asProblems gives the problems that an error holds; another error becomes one.
func asProblems(err error) batuta.Problems {
	if err == nil {
		return nil
	}
	if ps, ok := errors.AsType[batuta.Problems](err); ok {
		return ps
	}
	return batuta.Problems{{Message: err.Error()}}
}
