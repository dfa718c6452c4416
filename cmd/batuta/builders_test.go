package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/lab"
)

// TestTwoBuilders has a server with a buildkitd and a Docker Engine, each for
// one build at a time, build two images at once: each gets one.
func TestTwoBuilders(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("site-pool")
	ships := lab.Ships(t, 2)
	s := newSite(t, "docker", ships, app, "")
	engine := "docker+" + ships[0].Endpoint
	several := fmt.Sprintf("builders:\n  engine: {address: %q, limit: 1}\n  kit: {address: %q, limit: 1}\n", engine, lab.BuildKit(t))
	text, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.file, bytes.Replace(text, []byte("builder: \"docker\"\n"), []byte(several), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	s.serve(t)
	w := s.newWorkingCopy(t, "static", app)
	recipe := fmt.Sprintf("app: %s\nimages:\n  web: {static: public}\n  other: {static: public}\npromote: [qa]\n", app)
	if err := os.WriteFile(filepath.Join(w.dir, "batuta.yml"), []byte(recipe), 0o600); err != nil {
		t.Fatal(err)
	}
	lab.Git(t, w.dir, "commit", "--quiet", "--all", "--message", "Build two images")
	run := s.succeeds(t, s.pushed(t, app, w).ID)

	var log bytes.Buffer
	if err := s.client.Log(t.Context(), run.ID, "", false, &log); err != nil {
		t.Fatal(err)
	}
	var by []string
	for line := range strings.Lines(log.String()) {
		if _, name, ok := strings.Cut(strings.TrimSpace(line), "builder "); ok {
			by = append(by, name)
		}
	}
	if slices.Sort(by); !slices.Equal(by, []string{"engine", "kit"}) {
		t.Errorf("the images were built by %q\n%s", by, &log)
	}
}
