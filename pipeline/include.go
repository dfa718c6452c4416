package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"batuta"
	"batuta/builder"
	"batuta/deployer/trial"
	"batuta/internal/document"
)

// Include names a shared pipeline: a file of another app's repository, at one
// revision. What the including file does not say, that file says.
type Include struct {
	App      string          `json:"app" yaml:"app"`           // of the same server, which server.yml lets the app include
	Revision batuta.Revision `json:"revision" yaml:"revision"` // a full hash
	File     string          `json:"file" yaml:"file"`         // from the top of that repository
}

// template is the text of a file that is included.
type template struct {
	name string // as problems name it: app and file
	data []byte
}

// check finds what is wrong with an include, if there is one.
func (i *Include) check(doc *document.Document, at document.Path) {
	if i == nil {
		return
	}
	if err := batuta.CheckLabel(i.App); err != nil {
		problem(doc, at.At("app"), err)
	}
	if err := batuta.CheckRevision(string(i.Revision)); err != nil {
		problem(doc, at.At("revision"), err)
	}
	if !fs.ValidPath(i.File) || i.File == "." {
		doc.Problem(at.At("file"), fmt.Sprintf("%q is no file of a repository", i.File), "write its path from the top of the repository: node.yml")
	}
}

// include fills in what the file does not say by what the template says:
// images and tests by their names, all else by its key at the top. The error is
// what is wrong with the template.
func (w *recipeFile) include(doc *document.Document, in setting) error {
	var shared recipeFile
	from := document.Read(in.shared.name, in.shared.data, &shared)
	for _, key := range []string{"app", "include"} {
		if from.Has(document.Path{key}) {
			from.Problem(document.Path{key}, "a shared pipeline has no "+key, "remove it: the file that includes this one says it")
		}
	}
	w.take(shared)
	for key, take := range map[string]func(){
		"on":          func() { w.On = shared.On },
		"promote":     func() { w.Order = shared.Order },
		"notify":      func() { w.Notify = shared.Notify },
		"concurrency": func() { w.Concurrency = shared.Concurrency },
		"timeout":     func() { w.Timeout = shared.Timeout },
		"retries":     func() { w.Retries = shared.Retries },
	} {
		if !doc.Has(document.Path{key}) {
			take()
		}
	}
	shared.judge(from, w.Images, in.app)
	return from.Err()
}

// take takes the images and the tests of a template that the file does not
// have itself.
func (w *recipeFile) take(shared recipeFile) {
	if w.Images == nil {
		w.Images = map[string]imageRecipe{}
	}
	for name, image := range shared.Images {
		if _, there := w.Images[name]; !there {
			w.Images[name] = image
		}
	}
	for _, test := range shared.Test {
		if !slices.ContainsFunc(w.Test, func(t trial.Test) bool { return t.Name == test.Name }) {
			w.Test = append(w.Test, test)
		}
	}
}

// judge finds what is wrong with a template, beside the images that the whole
// has. It may tell of environments that not every app has that includes it.
func (w recipeFile) judge(doc *document.Document, images map[string]imageRecipe, app *App) {
	top, r := document.Path{}, Recipe{}
	all := map[string]imageRecipe{}
	known := map[batuta.ImageName]builder.Recipe{}
	for name, image := range images {
		all[name], known[batuta.ImageName(name)] = image, builder.Recipe{}
	}
	for name, image := range w.Images {
		all[name] = image
		readImage(doc, top.At("images", name), name, all)
	}
	readTests(doc, top.At("test"), slices.Clone(w.Test), known)
	readTriggers(doc, top.At("on"), w.On)
	if len(w.Order) > 0 {
		readOrder(doc, top.At("promote"), w.Order, setting{app: app}.floors())
	}
	readNotify(doc, top.At("notify"), w.Notify, nil, setting{app: app})
	r.readBounds(doc, w)
}

// template fetches what the recipe in a tree includes; nil if it includes
// nothing, or if what it says about that cannot be read: then whoever reads the
// recipe tells why.
func (j *journey) template(ctx context.Context, tree fs.FS, log io.Writer) (*template, error) {
	i := included(tree)
	if i == nil {
		return nil, nil
	}
	name := batuta.AppName(i.App)
	from, known := j.Apps[name]
	if !known || !slices.Contains(j.app.Includes, name) {
		return nil, &batuta.Error{
			Kind: batuta.Denied, Message: fmt.Sprintf("server.yml does not let %s include what %q has", j.app.Name, i.App),
			Hint: fmt.Sprintf("name it under apps.%s.includes", j.app.Name),
		}
	}
	dir := filepath.Join(j.dir(j.run.ID), "include")
	fetched, err := j.Source.Fetch(ctx, from.Repository, "", i.Revision, dir)
	if err != nil {
		return nil, fmt.Errorf("include %s of %s: %w", i.File, i.App, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fmt.Fprintf(log, "includes %s of %s at %s\n", i.File, i.App, fetched.Revision)
	return i.open(dir)
}

// name is how problems with the file name it.
func (i *Include) name() string { return i.App + ":" + i.File }

// wrong is what is wrong with the revision that is included.
func (i *Include) wrong(what, hint string) error {
	return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("include: revision %s of %s %s", i.Revision.Short(), i.App, what), Hint: hint}
}

// included is what the recipe in a tree includes; nil for nothing, and if it
// cannot be told.
func included(tree fs.FS) *Include {
	data, err := readDocument(tree, RecipeFile)
	if err != nil {
		return nil
	}
	var written recipeFile
	document.Read(RecipeFile, data, &written)
	i := written.Include
	if i == nil || batuta.CheckRevision(string(i.Revision)) != nil || !fs.ValidPath(i.File) {
		return nil
	}
	return i
}

// open reads the template from the tree that was fetched for it.
func (i *Include) open(dir string) (*template, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	tree := root.FS()
	info, err := fs.Stat(tree, i.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, i.wrong("has no file "+i.File, "look at include in "+RecipeFile)
	case err == nil && info.IsDir():
		return nil, i.wrong("has a directory at "+i.File, "name a file in it: include.file in "+RecipeFile)
	case err == nil && info.Size() > document.MaxBytes:
		return nil, i.wrong(fmt.Sprintf("has %d bytes in %s", info.Size(), i.File), fmt.Sprintf("a shared pipeline has at most %d: name another file under include in %s", document.MaxBytes, RecipeFile))
	}
	text, err := readDocument(tree, i.File)
	return &template{name: i.name(), data: text}, err
}
