package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/maestro"
	"batuta/examples"
	"batuta/internal/config"
	"batuta/pipeline"
)

// yamlBlock is a fenced block of YAML in a page.
var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// TestDocuments parses every block of YAML in the pages that readers copy from.
// Its first line says what it is.
func TestDocuments(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range yamlBlock.FindAllSubmatchIndex(text, -1) {
			block := string(text[at[2]:at[3]])
			first, _, _ := strings.Cut(block, "\n")
			place := fmt.Sprintf("%s:%d", filepath.Base(page), 2+strings.Count(string(text[:at[0]]), "\n"))
			kinds[first]++
			checkBlock(t, place, first, block)
		}
	}
	for _, first := range []string{"# server.yml", "# batuta.yml", "# environments/production.yml", "# a service", "# maestro.yaml"} {
		if kinds[first] == 0 {
			t.Errorf("no page shows what begins with %q", first)
		}
	}
}

func checkBlock(t *testing.T, place, first, block string) {
	t.Helper()
	var err error
	switch {
	case first == "# server.yml":
		err = readServer(t, block)
	case first == "# batuta.yml":
		_, err = pipeline.ParseRecipe(place, []byte(block))
	case strings.HasPrefix(first, "# environments/"):
		err = resolves(place, block)
	case first == "# maestro.yaml":
		err = resolvesMaestro(place, block)
	case first == "# a service":
		err = resolves(place, "batuta: 1\nservices:\n  web:\n    "+strings.ReplaceAll(block, "\n", "\n    "))
	default:
		t.Errorf("%s: the first line does not say what it is: %q", place, first)
	}
	if err != nil {
		t.Errorf("%s: %v", place, err)
	}
}

var (
	fromEnv  = regexp.MustCompile(`\{env: (\w+)\}`)
	fromFile = regexp.MustCompile(`\b(?:file|ca|cert|key|known_hosts): ([\w./]+)[,}]`)
)

// readServer reads a server.yml whose secrets and files are all there.
func readServer(t *testing.T, block string) error {
	t.Helper()
	dir := t.TempDir()
	for _, m := range fromEnv.FindAllStringSubmatch(block, -1) {
		secret := "a secret that is " + m[1]
		if strings.HasSuffix(m[1], "_URL") {
			secret = "slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook"
		}
		t.Setenv(m[1], secret)
	}
	for _, m := range fromFile.FindAllStringSubmatch(block, -1) {
		path := filepath.Join(dir, m[1])
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("a secret that is "+m[1]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := config.Parse(filepath.Join(dir, "server.yml"), []byte(block))
	return err
}

// resolves reads an environment document and resolves it, on ships that have
// what documents ask for.
func resolves(file, text string) error {
	doc, err := deployer.Parse(file, []byte(text))
	if err != nil {
		return err
	}
	someImage := batuta.Image{Repository: "registry.example.edu/app/image", Digest: batuta.Digest("sha256:" + strings.Repeat("0", 64))}
	in := deployer.Input{
		Ships: []deployer.ShipInfo{
			{Name: "node1", Address: "10.0.0.1", Labels: map[string]string{"role": "web", "zone": "a", "rack": "1"}},
			{Name: "node2", Address: "10.0.0.2", Labels: map[string]string{"role": "web", "zone": "b", "rack": "2"}},
		},
		Images: map[batuta.ImageName]batuta.Image{"web": someImage, "worker": someImage},
		Pins:   map[string]batuta.Image{}, Allow: deployer.Everything(),
		Secret: func(string) (string, bool) { return "a secret", true },
	}
	for _, reference := range doc.References() {
		in.Pins[reference] = someImage
	}
	if own := doc.Ships(); own != nil {
		in.Ships, in.OwnShips = nil, true
		for _, s := range own {
			in.Ships = append(in.Ships, deployer.ShipInfo{Name: s.Name, Address: s.Address, Labels: s.Labels})
		}
	}
	_, err = doc.Resolve(in)
	return err
}

// resolvesMaestro reads a MaestroNG document and resolves it on its own ships,
// with not so much as a warning.
func resolvesMaestro(file, text string) error {
	doc, err := maestro.Read(file, []byte(text), maestro.Options{Env: map[string]string{"HOME": "/home/ops"}, Strict: true})
	if err != nil {
		return err
	}
	_, err = doc.Resolve(deployer.Input{Scope: doc.Scope(), OwnShips: true, Unpinned: true})
	return err
}

// TestExamplesAreValid reads what the examples' repositories say, as a run does.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	apps, err := fs.ReadDir(examples.Files, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, app := range apps {
		read := func(file string) []byte {
			text, err := fs.ReadFile(examples.Files, app.Name()+"/"+file)
			if err != nil {
				t.Error(err)
			}
			return text
		}
		recipe, err := pipeline.ParseRecipe(app.Name()+"/"+pipeline.RecipeFile, read(pipeline.RecipeFile))
		if err != nil {
			t.Error(err)
		}
		images := slices.Collect(maps.Keys(recipe.Images))
		for _, env := range recipe.Promote {
			file, text := app.Name()+"/"+pipeline.EnvironmentFile(env), read(pipeline.EnvironmentFile(env))
			doc, _ := deployer.Parse(file, text) // Validate repeats its problems
			if err := errors.Join(doc.Validate(images), resolves(file, string(text))); err != nil {
				t.Error(err)
			}
		}
	}
}
