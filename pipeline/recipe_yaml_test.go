package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"batuta/pipeline"
)

// TestRecipeIsWrittenAsItIsRead holds that what is written of a recipe is a
// batuta.yml that means the same.
func TestRecipeIsWrittenAsItIsRead(t *testing.T) {
	t.Parallel()
	texts := map[string]string{"whole": pipeline.WholeRecipe, "bare": "app: portal\npromote: [qa]\n"}
	files, err := filepath.Glob("../examples/*/batuta.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	for name, text := range texts {
		want, err := pipeline.ParseRecipe(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		written, err := want.YAML()
		if err != nil {
			t.Fatal(err)
		}
		got, err := pipeline.ParseRecipe(name, written)
		if err != nil {
			t.Fatalf("%v in\n%s", err, written)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is written as\n%s%s", name, written, diff)
		}
	}
}

// TestRecipeIsWrittenWithItsDefaults looks at what a person is shown.
func TestRecipeIsWrittenWithItsDefaults(t *testing.T) {
	t.Parallel()
	r, err := pipeline.ParseRecipe("batuta.yml", []byte("app: portal\nimages: {web: {context: web}}\ntest: [{name: unit, run: npm test}]\non: {cron: \"@daily\", pull_request: {}}\npromote: [qa, {to: production, soak: 1h}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.YAML()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimPrefix(`
app: portal
images:
  web:
    context: web
    dockerfile: web/Dockerfile
    cache:
      to: none
    no_cache: false
test:
  - name: unit
    image: web
    run: npm test
    timeout: 10m0s
    retries: 0
on:
  push:
    branches:
      - main
      - master
  pull_request:
    branches:
      - main
      - master
  cron:
    - schedule: '@daily'
      zone: UTC
      missed: once
promote:
  - qa
  - to: production
    soak: 1h0m0s
concurrency: supersede
timeout: 1h0m0s
`, "\n")
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}
