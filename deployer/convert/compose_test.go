package convert_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/convert"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a result with the file that a person has looked at.
func golden(t *testing.T, name string, r convert.Result) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	got := string(r.Document) + "\n# " + strings.Join(r.Notes, "\n# ") + "\n"
	got = strings.ReplaceAll(got, here, "/checkout")
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, d)
	}
}

// valid makes sure that the deployer takes what was written.
func valid(t *testing.T, r convert.Result) {
	t.Helper()
	if _, err := deployer.Parse("converted.yml", r.Document); err != nil {
		t.Errorf("the document is refused:\n%v\n%s", err, r.Document)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCompose(t *testing.T) {
	t.Parallel()
	const name = "testdata/shop.compose.yml"
	got, err := convert.Compose(t.Context(), name, read(t, name), map[string]string{"HOME": "/root"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/shop.golden.yml", got)
	valid(t, got)
}

func TestWhatIsNoComposeFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"services: {web: {imge: x}}", "services: {web: {depends_on: [nobody], image: x}}", "- a", "\t", ""} {
		if _, err := convert.Compose(t.Context(), "compose.yml", []byte(text), nil); !errors.Is(err, batuta.Invalid) {
			t.Errorf("%q: %v, want Invalid", text, err)
		}
	}
}
