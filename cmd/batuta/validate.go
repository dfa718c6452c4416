package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"batuta"
	"batuta/internal/config"
	"batuta/pipeline"
)

// serverFile is what the server's configuration is usually called.
const serverFile = "server.yml"

func (p *program) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate [FILE | DIRECTORY...]",
		Short: "Check batuta.yml, environments/*.yml and server.yml, and report every problem",
		Long: "Checks files, or what is in directories (default: this one), by their kind: batuta.yml, the documents in\n" +
			"environments/, and server.yml. A server.yml's secrets are looked up here and now, as the server would.",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			v := &validation{}
			for _, path := range args {
				if err := v.path(path); err != nil {
					return err
				}
			}
			for _, w := range v.warnings {
				fmt.Fprintln(p.stderr, "warning:", w)
			}
			for _, file := range v.valid {
				fmt.Fprintf(p.stdout, "%s: valid\n", file)
			}
			return v.problems.Err()
		},
	}
}

// validation gathers what is wrong in several files.
type validation struct {
	valid    []string
	warnings batuta.Problems // of what is valid
	problems batuta.Problems
}

func (v *validation) path(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &batuta.Error{Kind: batuta.NotFound, Message: "no file " + path}
	case err != nil:
		return err
	case info.IsDir():
		return v.directory(path)
	}
	return v.file(path)
}

// directory checks a repository's files, and a server.yml.
func (v *validation) directory(dir string) error {
	documents, err := filepath.Glob(filepath.Join(dir, "environments", "*.yml"))
	if err != nil {
		return err
	}
	files := slices.DeleteFunc([]string{filepath.Join(dir, pipeline.RecipeFile), filepath.Join(dir, serverFile)}, missing)
	files = append(files, documents...)
	if len(files) == 0 {
		return &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("%s has no %s, no environments/*.yml and no %s", dir, pipeline.RecipeFile, serverFile)}
	}
	for _, file := range files {
		if err := v.file(file); err != nil {
			return err
		}
	}
	return nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// file checks one file by its kind.
func (v *validation) file(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	check, ok := checkOf(path, data)
	if !ok {
		return &batuta.Error{Kind: batuta.Invalid, Message: "cannot tell what " + path + " is", Hint: "name it batuta.yml, server.yml or environments/NAME.yml"}
	}
	err = check(path, data)
	if problems, ok := errors.AsType[batuta.Problems](err); ok {
		v.problems = append(v.problems, problems...)
		return nil
	}
	if err == nil {
		v.valid = append(v.valid, path)
		v.warnings = append(v.warnings, warningsOf(path, data)...)
	}
	return err
}

// checkOf is the parser for a file, by its name or else by its keys.
func checkOf(path string, data []byte) (func(string, []byte) error, bool) {
	switch {
	case filepath.Base(path) == pipeline.RecipeFile:
		return checkRecipe, true
	case filepath.Base(path) == serverFile:
		return checkServer, true
	case filepath.Base(filepath.Dir(path)) == "environments":
		return checkEnvironment, true
	}
	var keys map[string]yaml.Node
	_ = yaml.Unmarshal(data, &keys) // what is not YAML has no keys
	for _, kind := range []struct {
		key   string
		check func(string, []byte) error
	}{{"services", checkEnvironment}, {"promote", checkRecipe}, {"images", checkRecipe}, {"people", checkServer}, {"listen", checkServer}} {
		if _, ok := keys[kind.key]; ok {
			return kind.check, true
		}
	}
	return nil, false
}

func checkServer(path string, data []byte) error {
	_, err := config.Parse(path, data)
	return err
}

// checkRecipe checks a batuta.yml, and that the environments it names are
// there.
func checkRecipe(path string, data []byte) error {
	recipe, err := pipeline.ParseRecipe(path, data)
	problems, _ := errors.AsType[batuta.Problems](err)
	for _, env := range recipe.Promote {
		if file := pipeline.EnvironmentFile(env); missing(filepath.Join(filepath.Dir(path), filepath.FromSlash(file))) {
			problems = append(problems, batuta.Problem{File: filepath.Join(filepath.Dir(path), file), Line: 1, Column: 1, Message: "the file is missing", Hint: path + " names " + string(env) + " in promote"})
		}
	}
	return problems.Err()
}

// checkEnvironment checks an environment document, also against the images of
// the batuta.yml beside its directory.
func checkEnvironment(path string, data []byte) error {
	return pipeline.ReadDocument(path, data).Validate(imagesBeside(path))
}

// warningsOf is what a valid file warns of.
func warningsOf(path string, data []byte) batuta.Problems {
	switch filepath.Base(path) {
	case pipeline.RecipeFile:
		if r, err := pipeline.ParseRecipe(path, data); err == nil && r.Include != nil {
			return batuta.Problems{{File: path, Line: 1, Column: 1, Path: "include", Message: "what is included is not at hand: the server checks the whole"}}
		}
		return nil
	case serverFile:
		return nil
	}
	return pipeline.Warnings(pipeline.ReadDocument(path, data))
}

// imagesBeside is the images that the repository of a document builds; nil if
// it has no batuta.yml.
func imagesBeside(document string) []batuta.ImageName {
	recipe, err := recipeBeside(document)
	if err != nil && !errors.Is(err, batuta.Invalid) {
		return nil
	}
	return append([]batuta.ImageName{}, slices.Sorted(maps.Keys(recipe.Images))...)
}

// recipeBeside reads the batuta.yml of the repository of a document. One with
// problems is given too, as far as it could be read.
func recipeBeside(document string) (pipeline.Recipe, error) {
	path := filepath.Join(filepath.Dir(document), "..", pipeline.RecipeFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return pipeline.Recipe{}, err
	}
	return pipeline.ParseRecipe(path, data)
}
