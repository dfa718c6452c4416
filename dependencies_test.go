package batuta_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"iter"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDependencies holds docs/dependencies.md against what is imported: every
// module has its reason there, and every reason its module.
func TestDependencies(t *testing.T) {
	t.Parallel()
	page := strings.Split(readText(t, "docs/dependencies.md"), "\n## ")
	if len(page) != 4 {
		t.Fatalf("docs/dependencies.md has %d sections, want the binary's, the tests' and the tools'", len(page)-1)
	}
	modules := parseModules(readText(t, "go.mod"))
	inBinary, inTests := importedModules(t, modules)
	compare(t, "in the binary", rowsOf(page[1]), inBinary)
	compare(t, "in tests alone", rowsOf(page[2]), slices.DeleteFunc(inTests, func(m string) bool { return slices.Contains(inBinary, m) }))
	compare(t, "as tools", rowsOf(page[3]), slices.Concat(toolsOf(readText(t, ".ci/lint/go.mod")), toolsOf(readText(t, "internal/lab/tools/go.mod"))))
	for module, direct := range modules {
		if direct && !slices.Contains(inBinary, module) && !slices.Contains(inTests, module) {
			t.Errorf("go.mod requires %s, which nothing imports: run go mod tidy", module)
		}
	}
}

// compare reports what one of two lists lacks.
func compare(t *testing.T, where string, documented, used []string) {
	t.Helper()
	for _, name := range used {
		if !slices.Contains(documented, name) {
			t.Errorf("%s is used %s: give it a line with the reason in docs/dependencies.md", name, where)
		}
	}
	for _, name := range documented {
		if !slices.Contains(used, name) {
			t.Errorf("docs/dependencies.md has %s, which is not used %s", name, where)
		}
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var row = regexp.MustCompile("(?m)^\\| `([^`]+)`")

// rowsOf is the first cells of a table.
func rowsOf(section string) []string {
	var names []string
	for _, m := range row.FindAllStringSubmatch(section, -1) {
		names = append(names, m[1])
	}
	return names
}

// parseModules gives the modules that a go.mod requires, and whether it says
// that they are imported.
func parseModules(text string) map[string]bool {
	modules := map[string]bool{}
	for line := range inBlocks(text, "require") {
		module, version, _ := strings.Cut(line, " ")
		modules[module] = !strings.HasSuffix(version, "// indirect")
	}
	return modules
}

func toolsOf(text string) []string { return slices.Sorted(inBlocks(text, "tool")) }

// inBlocks gives the lines of a go.mod that follow a verb, in parentheses or
// by themselves.
func inBlocks(text, verb string) iter.Seq[string] {
	return func(yield func(string) bool) {
		inside := false
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			single, isSingle := strings.CutPrefix(line, verb+" ")
			switch {
			case line == verb+" (":
				inside = true
			case line == ")":
				inside = false
			case isSingle && !yield(single), inside && line != "" && !yield(line):
				return
			}
		}
	}
}

// importedModules gives the modules of all imports, of those that are in the
// product and of those that are in tests or in what only tests use.
func importedModules(t *testing.T, modules map[string]bool) (inBinary, inTests []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && isElsewhere(file):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(file) != ".go":
			return nil
		}
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		list := &inBinary
		if isForTests(file) {
			list = &inTests
		}
		for _, spec := range source.Imports {
			library, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if module := moduleOf(library, modules); module != "" && !slices.Contains(*list, module) {
				*list = append(*list, module)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return inBinary, inTests
}

// isForTests tells whether a file is no part of the product.
func isForTests(file string) bool {
	suite := path.Base(path.Dir(file)) // shiptest, storetest, apitest: what tests have in common
	return strings.HasSuffix(file, "_test.go") || strings.HasSuffix(suite, "test") || within(file, testOnly)
}

// moduleOf is the module that a package is of; empty for ours and Go's own.
func moduleOf(library string, modules map[string]bool) string {
	for at := library; at != "."; at = path.Dir(at) {
		if _, ok := modules[at]; ok {
			return at
		}
	}
	return ""
}

func TestParseModules(t *testing.T) {
	t.Parallel()
	const text = "module a\n\nrequire x.org/one v1\nrequire (\n\tx.org/two v2\n\tx.org/three/v3 v3 // indirect\n)\ntool (\n\tx.org/two/cmd/b\n\tx.org/two/cmd/a\n)\n"
	modules := parseModules(text)
	if len(modules) != 3 || !modules["x.org/one"] || !modules["x.org/two"] || modules["x.org/three/v3"] {
		t.Errorf("%v", modules)
	}
	if got := toolsOf(text); !slices.Equal(got, []string{"x.org/two/cmd/a", "x.org/two/cmd/b"}) {
		t.Errorf("%v", got)
	}
	for library, want := range map[string]string{"x.org/three/v3/deep/down": "x.org/three/v3", "x.org/three": "", "net/http": "", "x.org/two": "x.org/two"} {
		if got := moduleOf(library, modules); got != want {
			t.Errorf("%s is of %q, want %q", library, got, want)
		}
	}
}
