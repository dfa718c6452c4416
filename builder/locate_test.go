package builder

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFindInstruction(t *testing.T) {
	dir := t.TempDir()
	text := `# a comment
FROM --platform=linux/amd64 node:20 AS build
ARG VERSION=1
run npm \
    install app@${VERSION:-2} && echo $VERSION

COPY a.txt /
COPY $VERSION.txt /
FROM registry.example/base
RUN echo (x) [y] *
`
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{
		"RUN npm     install app@1 && echo 1":      4,
		"COPY a.txt /":                             7,
		"COPY 1.txt /":                             8,
		"FROM docker.io/library/node:20":           2,
		"FROM registry.example/base:latest":        9,
		"FROM docker.io/library/nodes:20":          0,
		"RUN echo (x) [y] *":                       10,
		"RUN something else":                       0,
		"load build context":                       0,
		"":                                         0,
		"RUN npm     install app@1 && echo 1 && x": 4, // the last variable may stand for anything
	} {
		if got := findInstruction(Request{Source: dir}, name); got != want {
			t.Errorf("%q is at %d, want %d", name, got, want)
		}
	}
}

func TestFindInstructionWithoutDockerfile(t *testing.T) {
	if got := findInstruction(Request{Source: t.TempDir()}, "RUN true"); got != 0 {
		t.Errorf("found at %d", got)
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"failed to solve: failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 4: unknown instruction: RUNX": "unknown instruction: RUNX",
		`failed to solve: process "/bin/sh -c exit 7" did not complete successfully: exit code: 7`:                                                                "exit code 7",
		`failed to compute cache key: failed to calculate checksum of ref a::b: "/x": not found`:                                                                  `"/x": not found`,
		"failed to solve: failed to push 127.0.0.1:1/app/web:abc: connection refused":                                                                             "connection refused",
		"a failure: failed to solve: x": "a failure: failed to solve: x",
	} {
		if got := plain(text); got != want {
			t.Errorf("%q\ngot  %q\nwant %q", text, got, want)
		}
	}
}
