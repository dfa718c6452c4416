package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/distribution/reference"

	"batuta"
	"batuta/internal/document"
)

// The checks of this file are of values that read well and would fail in a
// run, or never do anything. Each problem says what to write instead.

// targetForm is a stage of a Dockerfile, by its name or its number.
// https://docs.docker.com/reference/dockerfile/#from
var targetForm = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9_.-]*|[0-9]+)$`)

// userForm is a user and a group, by name or number.
var userForm = regexp.MustCompile(`^[^\s:]+(:[^\s:]+)?$`)

// variableForm is the name of a variable that programs can read.
var variableForm = regexp.MustCompile(`^[^\s=]+$`)

// architectures are what images are built for, by the system, with the
// variants that each has.
// https://go.dev/doc/install/source#environment and
// https://github.com/opencontainers/image-spec/blob/main/image-index.md#platform-variants
var architectures = map[string][]string{
	"386": nil, "amd64": {"v1", "v2", "v3", "v4"}, "arm": {"v5", "v6", "v7", "v8"}, "arm64": {"v8", "v9"}, "loong64": nil, "mips": nil, "mipsle": nil,
	"mips64": nil, "mips64le": nil, "ppc64": nil, "ppc64le": nil, "riscv64": nil, "s390x": nil, "wasm": nil,
}

// systems are what images are built for.
var systems = []string{"darwin", "freebsd", "linux", "netbsd", "openbsd", "wasi", "wasip1", "windows"}

// checkPlatforms refuses platforms that there are not.
func checkPlatforms(doc *document.Document, at document.Path, platforms []string) {
	for i, p := range platforms {
		here := at.At(fmt.Sprint(i))
		system, rest, _ := strings.Cut(p, "/")
		arch, variant, hasVariant := strings.Cut(rest, "/")
		variants, known := architectures[arch]
		switch {
		case !known || !slices.Contains(systems, system) || hasVariant && !slices.Contains(variants, variant):
			doc.Problem(here, fmt.Sprintf("%q is not a platform", p), "write linux/amd64, linux/arm64 or linux/arm/v7")
		case slices.Contains(platforms[:i], p):
			doc.Problem(here, p+" stands twice", "remove one")
		}
	}
}

// checkReference wants the reference of an image.
func checkReference(doc *document.Document, at document.Path, text string) {
	if _, err := reference.ParseNormalizedNamed(text); err != nil {
		doc.Problem(at, fmt.Sprintf("%q is not an image's reference", text), "write its registry, repository and tag: ghcr.io/acme/portal:22")
	}
}

// checkSecretName wants a name that a secret can have in server.yml.
func checkSecretName(doc *document.Document, at document.Path, name string) {
	if batuta.CheckName(name) != nil {
		doc.Problem(at, fmt.Sprintf("%q cannot be the name of a secret", name), "write a name of apps.NAME.secrets in server.yml: letters, digits, '_', '.' and '-'")
	}
}

// checkEnv wants variables that a program can have, and secrets in them that
// can be.
func checkEnv(doc *document.Document, at document.Path, env map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		here := at.At(name)
		if !variableForm.MatchString(name) {
			doc.Problem(here, fmt.Sprintf("%q is not a variable's name", name), "write letters, digits and '_': DB_HOST")
		}
		for _, after := range strings.Split(env[name], secretMark)[1:] {
			id, _, closed := strings.Cut(after, "}")
			if !closed {
				doc.Problem(here, fmt.Sprintf("%q has no } at its end", secretMark+id), "write ${secret:NAME}")
				continue
			}
			checkSecretName(doc, here, id)
		}
	}
}

// secretMark begins the place of a secret in a variable.
const secretMark = "${secret:"

// checkNoSecret refuses a secret's place where none is filled in.
func checkNoSecret(doc *document.Document, at document.Path, what, hint string, texts ...string) {
	if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, secretMark) }) {
		doc.Problem(at, "a secret is not put into "+what, hint)
	}
}

// checkKept wants files or directories of a test's container.
func checkKept(doc *document.Document, at document.Path, paths []string) {
	for i, p := range paths {
		here, clean := at.At(fmt.Sprint(i)), path.Clean(p)
		switch {
		case p == "" || clean == "/":
			doc.Problem(here, fmt.Sprintf("%q names no file and no directory", p), "write a path in the test's container: coverage, /tmp/junit.xml")
		case clean == ".." || strings.HasPrefix(clean, "../"):
			doc.Problem(here, fmt.Sprintf("%q leads out of the directory in which the test runs", p), "write the whole path in its container: /tmp/coverage")
		case strings.ContainsAny(p, "*?"):
			doc.Problem(here, fmt.Sprintf("%q is a pattern, and paths are taken as they are written", p), "name the directory, of which all is taken: coverage")
		}
	}
}

// checkTime refuses a time-out that is none, or too long. What is not said is
// left to the default.
func checkTime(doc *document.Document, at document.Path, d time.Duration, hint string) {
	if _, said := doc.Scalar(at); d == 0 && !said {
		return
	}
	if d < leastTimeout || d > mostTimeout {
		doc.Problem(at, fmt.Sprintf("%s is not between %s and %s", d, leastTimeout, mostTimeout), hint)
	}
}

// A name is what patterns choose from.
const (
	nameBranch = "branch"
	nameTag    = "tag"
	namePath   = "path"
)

// checkPatterns refuses patterns that are none, and those that can fit no name
// of their kind.
func checkPatterns(doc *document.Document, at document.Path, kind string, patterns []string) {
	for i, written := range patterns {
		here := at.At(fmt.Sprint(i))
		pattern, not := strings.CutPrefix(written, "!")
		if pattern == "" || !doublestar.ValidatePattern(pattern) {
			doc.Problem(here, fmt.Sprintf("%q is not a pattern", written), "write main, release/*, docs/**, !**/*.md")
			continue
		}
		if better := fitting(kind, pattern); better != pattern {
			if not {
				better = "!" + better
			}
			doc.Problem(here, fmt.Sprintf("%q fits no %s", written, kind), "write "+better)
		}
	}
}

// fitting is a pattern that can fit a name of the kind, in the place of one
// that cannot.
func fitting(kind, pattern string) string {
	better := strings.TrimSpace(pattern)
	switch kind {
	case nameBranch:
		better = strings.TrimPrefix(better, "refs/heads/")
	case nameTag:
		better = strings.TrimPrefix(better, "refs/tags/")
	}
	if strings.HasSuffix(better, "/") || better == "." || better == ".." {
		better = path.Join(better, "**")
	}
	if strings.Contains("/"+better+"/", "/./") || strings.Contains("/"+better, "//") || strings.HasPrefix(better, "../") {
		better = path.Clean("/" + better)
	}
	return cmp.Or(strings.TrimLeft(better, "/"), "**")
}

// branchForm is a branch, or a whole ref.
// https://git-scm.com/docs/git-check-ref-format
var branchForm = regexp.MustCompile(`^[^\s~^:?*\[\\/]+(/[^\s~^:?*\[\\/]+)*$`)

// checkBranch wants the name of one branch.
func checkBranch(doc *document.Document, at document.Path, name string) {
	if !branchForm.MatchString(name) || strings.Contains(name, "..") || strings.HasSuffix(name, ".lock") {
		doc.Problem(at, fmt.Sprintf("%q is not a branch", name), "write its name: main")
	}
}
