package pipeline

import (
	"os"
	"path/filepath"
	"testing"

	"batuta/internal/schema"
)

// TestSchema holds docs/schema/batuta.json against the types, and against the
// recipes of the examples and others that are right and wrong.
func TestSchema(t *testing.T) {
	t.Parallel()
	published := schema.Published(t, "..", schema.File{
		Name: "batuta", Title: "batuta.yml", Description: "What becomes of a push: docs/pipelines.md",
		Type: recipeFile{}, Required: []string{"app", "promote"},
	})
	examples, err := filepath.Glob("../examples/*/batuta.yml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, path := range examples {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Check(published, text); err != nil {
			t.Errorf("%s is refused: %v", path, err)
		}
	}
	for _, text := range []string{
		"promote: [qa]\n", "app: portal\n", "app: portal\npromote: qa\n", "app: portal\npromote: [qa]\nimages: {web: {contxt: .}}\n",
		"app: portal\npromote: [qa]\non: {push: [main]}\n", "[]\n",
	} {
		if err := schema.Check(published, []byte(text)); err == nil {
			t.Errorf("%s\nis taken", text)
		}
	}
}
