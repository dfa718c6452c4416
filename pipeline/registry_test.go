package pipeline_test

import (
	"slices"
	"strings"
	"testing"

	"batuta/pipeline"
)

// The patterns of on.registry are spelled out as Docker reads short names, and
// reading what was written is reading the same.
func TestRegistryPatterns(t *testing.T) {
	t.Parallel()
	const head = "app: portal\nimages: {web: {}}\npromote: [qa]\non: {registry: ["
	want := []string{
		"docker.io/library/node", "docker.io/library/node:22*", "docker.io/acme/web:v*", "docker.io/library/redis", "docker.io/acme/*",
		"localhost/x", "hub.example.edu:5000/a/b:{v1,v2}", "!docker.io/library/node:*-rc*", "**/base", "docker.io/*/x",
	}
	r, err := pipeline.ParseRecipe("batuta.yml", []byte(head+`node, "node:22*", "acme/web:v*", index.docker.io/redis, "docker.io/acme/*", localhost/x, "hub.example.edu:5000/a/b:{v1,v2}", "!node:*-rc*", "**/base", "docker.io/*/x"]}`))
	if err != nil || !slices.Equal(r.On.Registry, want) {
		t.Fatalf("%q, %v\nwant %q", r.On.Registry, err, want)
	}
	text, err := r.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := pipeline.ParseRecipe("batuta.yml", text)
	if err != nil || !slices.Equal(again.On.Registry, want) {
		t.Errorf("read again: %q, %v", again.On.Registry, err)
	}
	_, err = pipeline.ParseRecipe("batuta.yml", []byte(head+`"https://ghcr.io/a", "a@sha256:1", "a:", "", "[", "a//b"]}`))
	for i, words := range []string{"is a URL", "has a digest", `"a:" is not a pattern of images`, `"" is not`, `"[" is not`, `"a//b" is not`} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("entry %d: %v, want %q", i, err, words)
		}
	}
}

func TestWantsImage(t *testing.T) {
	t.Parallel()
	on := pipeline.Triggers{Registry: []string{"docker.io/library/node:22*", "ghcr.io/acme/**", "!ghcr.io/acme/internal/*"}}
	for image, want := range map[string]bool{
		"docker.io/library/node:22":                 true,
		"docker.io/library/node:22-slim@sha256:abc": true,
		"docker.io/library/node:20":                 false,
		"docker.io/library/nodes:22":                false,
		"ghcr.io/acme/a/b:v1":                       true,
		"ghcr.io/acme/internal/b:v1":                false,
		"ghcr.io/other/a:v1":                        false,
	} {
		if got, why := on.WantsImage(image); got != want || got == (why != "") {
			t.Errorf("%s: %v, %q", image, got, why)
		}
	}
	if got, _ := (pipeline.Triggers{}).WantsImage("docker.io/library/node:22"); got {
		t.Error("without patterns an image starts a run")
	}
}
