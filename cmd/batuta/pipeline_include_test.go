package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batuta"
)

const sharedPipeline = `images:
  web: {dockerfile: shared/Dockerfile}
  worker: {dockerfile: worker/Dockerfile}
test: [{name: unit, image: web, run: npm test}, {name: lint, image: web, run: npm run lint}]
promote: [qa, production]
timeout: 30m
`

// including is a world whose app includes the shared pipeline.
func including(t *testing.T, granted ...batuta.AppName) *world {
	t.Helper()
	w := newWorld(t)
	w.crew, w.includes = []batuta.AppName{"pipelines"}, granted
	w.files["node.yml"] = sharedPipeline
	w.files["batuta.yml"] = "app: shop\ninclude: {app: pipelines, revision: " + string(revision("v1")) + ", file: node.yml}\n" +
		"images: {web: {dockerfile: Dockerfile}}\ntest: [{name: unit, image: web, run: npm run unit}]\ntimeout: 10m\n"
	return w
}

func TestIncludedPipeline(t *testing.T) {
	t.Parallel()
	s := including(t, "pipelines").start(t)
	id := s.push(t, "one")
	s.succeeds(t, id)
	got, err := s.Settled(t.Context(), testApp)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"dockerfile: Dockerfile\n", "dockerfile: worker/Dockerfile\n", "run: npm run unit\n", "run: npm run lint\n", "timeout: 10m0s\n", "  - production\n"} {
		if !strings.Contains(got.Recipe, line) {
			t.Errorf("%q is missing in\n%s", line, got.Recipe)
		}
	}
	for _, line := range []string{"shared/Dockerfile", "run: npm test\n"} {
		if strings.Contains(got.Recipe, line) {
			t.Errorf("%q is not the app's own in\n%s", line, got.Recipe)
		}
	}
	if log := s.log(t, id); !strings.Contains(log, "includes node.yml of pipelines at "+string(revision("v1"))) {
		t.Errorf("the log is\n%s", log)
	}
}

func TestWhatMayNotBeIncluded(t *testing.T) {
	t.Parallel()
	s := including(t).start(t)
	s.fails(t, s.push(t, "one"), `server.yml does not let shop include what "pipelines" has`)

	w := including(t, "pipelines")
	w.edit("node.yml", "timeout: 30m", "timeout: 30h\nnonsense: 1")
	s = w.start(t)
	run := s.fails(t, s.push(t, "one"), "pipelines:node.yml:6:10: timeout: 30h0m0s is not between")
	if !strings.Contains(run.Error, `pipelines:node.yml:7:1: nonsense: unknown key`) {
		t.Errorf("the error is %s", run.Error)
	}
	w.edit("batuta.yml", "file: node.yml", "file: ruby.yml")
	s.fails(t, s.push(t, "two"), "has no file ruby.yml")
}

func TestValidateTellsWhatItCannotSee(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "batuta.yml")
	if err := os.WriteFile(file, []byte("app: shop\ninclude: {app: pipelines, revision: "+string(revision("v1"))+", file: node.yml}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	p := &program{stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
	if code := p.run(t.Context(), []string{"validate", file}); code != 0 || !strings.Contains(errs.String(), "include: what is included is not at hand: the server checks the whole") {
		t.Errorf("exit code %d: %s%s", code, &out, &errs)
	}
}
