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

// TestComposeLosesNothingInSilence: each key is carried over, or named.
func TestComposeLosesNothingInSilence(t *testing.T) {
	t.Parallel()
	const name = "testdata/much.compose.yml"
	got, err := convert.Compose(t.Context(), name, read(t, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/much.golden.yml", got)
	valid(t, got)
}

// TestComposeErrorsHaveTheirPlace, which Compose's own reader does not tell.
func TestComposeErrorsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"services: {web: {imge: x}}":                                 "c.yml:1:18: services.web.imge: Compose knows no such key",
		"services:\n  web: {depends_on: [nobody], image: x}":         `c.yml:2:22: services.web: Compose refuses this: service "web" depends on undefined service "nobody"`,
		"services:\n  web:\n    image: x\n    ports: [\"99999:80\"]": "c.yml:4:13: Compose refuses this: invalid hostPort: 99999",
		"services:\n  web:\n    image: x\n    mem_limit: lots\n    healthcheck: {interval: soon}": "c.yml:4:5: services.web.mem_limit: Compose refuses this: invalid size: 'lots'\n" +
			`c.yml:5:19: services.web.healthcheck.interval: Compose refuses this: time: invalid duration "soon"`,
		"services:\n  web: {image: x, image: y, ports: [a], ports: [b]}": "c.yml:2:19: services.web.image: the key stands twice (the first is on line 2) (remove one)\n" +
			"c.yml:2:41: services.web.ports: the key stands twice (the first is on line 2) (remove one)",
		"services:\n\tweb: {}":                             "c.yml:2:1: not YAML: found character that cannot start any token",
		"services:\n  web: {image: x, env_file: [no.env]}": "c.yml:2:30: Compose refuses this: env file",
		"": "c.yml:1:1: Compose refuses this: empty compose file",
	} {
		_, err := convert.Compose(t.Context(), "c.yml", []byte(text), nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\n%v, want\n%s", text, err, want)
		}
	}
}

func TestWhatIsNoComposeFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"services: {web: {imge: x}}", "services: {web: {depends_on: [nobody], image: x}}", "- a", "\t", ""} {
		if _, err := convert.Compose(t.Context(), "compose.yml", []byte(text), nil); !errors.Is(err, batuta.Invalid) {
			t.Errorf("%q: %v, want Invalid", text, err)
		}
	}
}
