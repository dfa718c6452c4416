package convert_test

import (
	"errors"
	"strings"
	"testing"

	"batuta"
	"batuta/deployer/convert"
)

func TestMaestro(t *testing.T) {
	t.Parallel()
	const name = "testdata/shop.maestro.yaml"
	got, err := convert.File(t.Context(), name, read(t, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/shop.maestro.golden.yml", got)
	valid(t, got)
}

// TestMaestroOddities: what cannot be carried over is said, and what the
// document is refused for, too.
func TestMaestroOddities(t *testing.T) {
	t.Parallel()
	const name = "testdata/odd.maestro.yaml"
	got, err := convert.File(t.Context(), name, read(t, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/odd.maestro.golden.yml", got)
}

func TestFileTellsTheFormatsApart(t *testing.T) {
	t.Parallel()
	for text, words := range map[string]string{
		"batuta: 1\nservices: {}\n":                  "already",
		"name: x\nships: {n: {}}\nservices: {}\n":    "ip",
		"services: {web: {imge: nginx}}\n":           "Compose",
		"name: x\n\"ships\": {a: 1}\nservices: {}\n": "ships",
	} {
		_, err := convert.File(t.Context(), "x.yml", []byte(text), nil)
		if !errors.Is(err, batuta.Invalid) || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v, want Invalid that says %q", text, err, words)
		}
	}
}
