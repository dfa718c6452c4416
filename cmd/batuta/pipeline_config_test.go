package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batuta"
)

// TestSettledRecipe shows what the newest run went by, once there is one that
// got as far as to read it.
func TestSettledRecipe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	if _, err := s.Settled(t.Context(), testApp); !errors.Is(err, batuta.NotFound) {
		t.Fatalf("before any run: %v", err)
	}
	first := s.push(t, "one")
	s.succeeds(t, first)
	w.edit("batuta.yml", "app: shop", "app: shop\nnonsense: 1")
	s.fails(t, s.push(t, "two"), "unknown key")
	got, err := s.Settled(t.Context(), testApp)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"dockerfile: Dockerfile\n", "concurrency: supersede\n", "timeout: 1h0m0s\n", "retries: 2\n"} {
		if !strings.Contains(got.Recipe, line) {
			t.Errorf("%q is missing in\n%s", line, got.Recipe)
		}
	}
	if got.Run != first || got.Revision != revision("one") {
		t.Errorf("it is of run %d, %s", got.Run, got.Revision)
	}
}

// TestConfigHere needs no server.
func TestConfigHere(t *testing.T) {
	t.Chdir(t.TempDir())
	var out, errs bytes.Buffer
	p := &program{stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
	if code := p.run(t.Context(), []string{"config"}); code != 3 || !strings.Contains(errs.String(), "no batuta.yml here") {
		t.Errorf("exit code %d: %s", code, &errs)
	}
	if err := os.WriteFile(filepath.Join(".", "batuta.yml"), []byte("app: hello\nimages: {web: {static: public}}\npromote: [qa]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := p.run(t.Context(), []string{"config"}); code != 0 || !strings.Contains(out.String(), "\non:\n  push:\n    branches:\n      - main\n      - master\n") {
		t.Errorf("exit code %d: %s", code, &out)
	}
}
