package batuta_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers has every room, a folder with those below it, and its layer. A room
// knows the layers below its own and the vocabulary, and no room beside it.
var layers = map[string]int{
	".":                  0, // the vocabulary
	"internal/document":  0, // how documents are read: everybody's helper
	"webhooks":           1,
	"builder":            1,
	"deployer":           1,
	"internal/archive":   1,
	"internal/config":    1,
	"internal/gitremote": 1,
	"internal/gitsource": 1,
	"internal/notify":    1,
	"internal/proxy":     1,
	"internal/registry":  1,
	"internal/secrets":   1,
	"internal/signing":   1,
	"examples":           1, // the applications that travel in the binary
	"internal/lab":       1, // for tests alone; see testOnly
	"internal/schema":    1, // likewise
	"pipeline":           2,
	"internal/store":     3,
	"internal/api":       3,
	"internal/web":       3,
	"cmd":                4,
	"internal/bench":     4,
}

// testOnly are the rooms that no part of the product may know: tests do, and
// internal/bench, which is a test of speed.
var testOnly = []string{"internal/lab", "internal/schema", "internal/bench"}

// fences has the libraries that only some rooms may use, in tests too.
var fences = []struct {
	rule      string
	rooms     []string
	libraries []string
}{
	{"BuildKit only in builder", []string{"builder"}, []string{"github.com/moby/buildkit"}},
	{"the Docker client only in deployer/docker and builder", []string{"deployer/docker", "builder"}, []string{"github.com/docker/docker"}},
	{"the registry library only in internal/registry and the lab", []string{"internal/registry", "internal/lab"}, []string{"github.com/distribution/distribution"}},
	{"Compose's reader only in deployer/convert", []string{"deployer/convert"}, []string{"github.com/compose-spec"}},
	{"gonja only in deployer/maestro", []string{"deployer/maestro"}, []string{"github.com/nikolalohinski/gonja"}},
	{"shoutrrr only in internal/notify, and where its URLs are checked", []string{"internal/notify", "internal/config"}, []string{"github.com/nicholas-fedor"}},
	{"SQL only in internal/store", []string{"internal/store"}, []string{"database/sql", "modernc.org/sqlite", "github.com/jackc/pgx", "github.com/pressly/goose"}},
}

// TestLayers reads the import lines itself, so that the cache of go test sees
// what its outcome depends on.
func TestLayers(t *testing.T) {
	t.Parallel()
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
		for _, spec := range source.Imports {
			library, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if broken := brokenRule(file, library); broken != "" {
				t.Errorf("%s imports %s: %s", file, library, broken)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// isElsewhere tells whether a folder has no code of this module.
func isElsewhere(folder string) bool {
	if folder == "." {
		return false
	}
	_, err := os.Stat(path.Join(folder, "go.mod"))
	name := path.Base(folder)
	return err == nil || name == "testdata" || strings.HasPrefix(name, ".") || folder == "bin"
}

// brokenRule says which rule an import breaks; empty for none.
func brokenRule(file, library string) string {
	for _, fence := range fences {
		if within(library, fence.libraries) && !within(path.Dir(file), fence.rooms) {
			return fence.rule
		}
	}
	if library != "batuta" && !strings.HasPrefix(library, "batuta/") {
		return ""
	}
	from, to := roomOf(path.Dir(file)), roomOf(path.Join(".", strings.TrimPrefix(library+"/", "batuta/")))
	isTest := strings.HasSuffix(file, "_test.go")
	switch {
	case from == "" || to == "":
		return "a folder that is no room: give it a layer in layers_test.go"
	case from == to, to == ".":
		return ""
	case slices.Contains(testOnly, to):
		if isTest || slices.Contains(testOnly, from) {
			return ""
		}
		return "only tests may know " + to
	case layers[from] <= layers[to]:
		return fmt.Sprintf("%s (layer %d) may know only lower layers, and %s is in layer %d", from, layers[from], to, layers[to])
	}
	return ""
}

// roomOf gives the room that a folder belongs to; empty for none.
func roomOf(folder string) string {
	for room := folder; room != "."; room = path.Dir(room) {
		if _, ok := layers[room]; ok {
			return room
		}
	}
	if folder == "." {
		return "."
	}
	return ""
}

// within tells whether a path is one of some others, or below one.
func within(p string, others []string) bool {
	return slices.ContainsFunc(others, func(other string) bool { return p == other || strings.HasPrefix(p, other+"/") })
}

func TestBrokenRule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, library, want string }{
		{"pipeline/push.go", "batuta", ""},
		{"pipeline/push.go", "batuta/deployer", ""},
		{"pipeline/push.go", "fmt", ""},
		{"deployer/docker/pull.go", "batuta/deployer", ""},
		{"deployer/docker/pull.go", "github.com/docker/docker/client", ""},
		{"deployer/docker/pull_test.go", "batuta/internal/lab", ""},
		{"internal/bench/main.go", "batuta/internal/lab", ""},
		{"webhooks/gitea.go", "batuta/pipeline", "webhooks (layer 1) may know only lower layers, and pipeline is in layer 2"},
		{"builder/static.go", "batuta/deployer", "builder (layer 1) may know only lower layers, and deployer is in layer 1"},
		{"batuta.go", "batuta/internal/document", ". (layer 0) may know only lower layers, and internal/document is in layer 0"},
		{"cmd/batuta/serve.go", "batuta/internal/lab", "only tests may know internal/lab"},
		{"cmd/batuta/serve.go", "database/sql", "SQL only in internal/store"},
		{"deployer/pull.go", "github.com/docker/docker/client", "the Docker client only in deployer/docker and builder"},
		{"internal/helper/help.go", "batuta", "a folder that is no room: give it a layer in layers_test.go"},
	} {
		if got := brokenRule(c.file, c.library); got != c.want {
			t.Errorf("%s imports %s: got %q, want %q", c.file, c.library, got, c.want)
		}
	}
}
