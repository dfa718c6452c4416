package builder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/builder"
)

func TestDockerfileBecomesImage(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		r := b.request(t, builder.Recipe{Context: "web", Target: "final", Args: map[string]string{"COLOUR": "green"}, Secrets: []string{"token"}}, map[string]string{
			"web/Dockerfile": `FROM busybox AS first
ARG COLOUR
RUN echo "paint it" $COLOUR >/colour
RUN --mount=type=secret,id=token test "$(wc -c </run/secrets/token)" = 7 && cat /run/secrets/token >/dev/null
RUN --mount=type=secret,id=other test ! -e /run/secrets/other

FROM busybox AS final
COPY --from=first /colour /colour
COPY page.html /

FROM busybox
RUN false
`,
			"web/page.html": "ahoy",
		})
		r.Secrets = map[string][]byte{"token": []byte("hunter2"), "other": []byte("not of this recipe")}
		image, log := build(t, b.builder(t), r)
		files := content(t, image)
		if files["colour"] != "paint it green\n" || files["page.html"] != "ahoy" {
			t.Errorf("colour = %q, page.html = %q", files["colour"], files["page.html"])
		}
		for _, want := range []string{"RUN echo", "DONE", "exporting to image"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, log)
			}
		}
		if strings.Contains(log.String(), "hunter2") {
			t.Errorf("the log has a secret:\n%s", log)
		}
	})
}

func TestImageIsOnePlainManifest(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		image, _ := build(t, b.builder(t), b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "FROM busybox\n"}))
		mediaType, err := image.MediaType()
		must(t, err)
		if !mediaType.IsImage() {
			t.Errorf("the digest is of %s", mediaType)
		}
	})
}

func TestDockerfileElsewhere(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		image, _ := build(t, b.builder(t), b.request(t, builder.Recipe{Context: "site", Dockerfile: "docker/web.Dockerfile"}, map[string]string{
			"docker/web.Dockerfile": "FROM scratch\nCOPY . /\n",
			"site/page.html":        "ahoy",
		}))
		if diff := cmp.Diff(map[string]string{"page.html": "ahoy"}, content(t, image)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestContextLeavesOut(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		image, _ := build(t, b.builder(t), b.request(t, builder.Recipe{}, map[string]string{
			"Dockerfile":       "FROM scratch\nCOPY . /\n",
			".dockerignore":    "Dockerfile\n.dockerignore\nsecret*\n!secret.example\n",
			"page.html":        "ahoy",
			"secret.env":       "x",
			"secret.example":   "y",
			".git/config":      "url = https://token@forge/",
			"vendor/.git/HEAD": "ref",
			"vendor/lib":       "z",
		}))
		want := map[string]string{"page.html": "ahoy", "secret.example": "y", "vendor/": "", "vendor/lib": "z"}
		if diff := cmp.Diff(want, content(t, image)); diff != "" {
			t.Error(diff)
		}
	})
}

// A daemon compares only names, sizes and times with what it was sent before.
func TestChangeOfEqualSizeAndTimeIsBuilt(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		r := b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "FROM scratch\nCOPY page.html /\n", "page.html": "one"})
		page := filepath.Join(r.Source, "page.html")
		info, err := os.Stat(page)
		must(t, err)
		build(t, b.builder(t), r)
		must(t, os.WriteFile(page, []byte("two"), 0o644))
		must(t, os.Chtimes(page, info.ModTime(), info.ModTime()))
		image, _ := build(t, b.builder(t), r) // as after a restart
		if got := content(t, image)["page.html"]; got != "two" {
			t.Errorf("the image has %q", got)
		}
	})
}

func TestSecondBuildIsCached(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		files := map[string]string{"Dockerfile": "FROM busybox\nCOPY page.html /\nRUN date >/built\n", "page.html": "ahoy"}
		r := b.request(t, builder.Recipe{}, files)
		builder := b.builder(t)
		first, _ := build(t, builder, r)
		r.Source = tree(t, files) // a fresh checkout
		second, log := build(t, builder, r)
		if one, two := digest(t, first), digest(t, second); one != two {
			t.Errorf("built %s and %s", one, two)
		}
		if strings.Count(log.String(), "CACHED") < 2 {
			t.Errorf("the second build is not cached:\n%s", log)
		}
	})
}

func TestSyntaxLineOfBuiltInFrontendIsNotFetched(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		_, log := build(t, b.builder(t), b.request(t, builder.Recipe{}, map[string]string{
			"Dockerfile": "# syntax=docker/dockerfile:1\nFROM busybox\n",
		}))
		if strings.Contains(log.String(), "docker.io/docker/dockerfile") {
			t.Errorf("the frontend was resolved:\n%s", log)
		}
	})
}

func TestRecipeIsRefused(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "Dockerfile"), []byte("FROM scratch\n"), 0o644))
	b, err := builder.New(builder.Config{Binary: "/bin/busybox"})
	must(t, err)
	defer b.Close()
	for name, test := range map[string]struct {
		recipe builder.Recipe
		want   string
	}{
		"no Dockerfile":               {builder.Recipe{Context: "web"}, `no Dockerfile at "web/Dockerfile"`},
		"context outside":             {builder.Recipe{Context: "../..", Dockerfile: "Dockerfile"}, "context: cannot use ../.."},
		"absolute context":            {builder.Recipe{Context: outside, Dockerfile: "Dockerfile"}, "context: cannot use " + outside},
		"context is a link outside":   {builder.Recipe{Context: "link", Dockerfile: "Dockerfile"}, "context: cannot use link"},
		"context is a file":           {builder.Recipe{Context: "file", Dockerfile: "Dockerfile"}, `context: "file" is not a directory`},
		"no context":                  {builder.Recipe{Context: "none", Dockerfile: "Dockerfile"}, `context: there is no directory "none"`},
		"Dockerfile outside":          {builder.Recipe{Dockerfile: "../Dockerfile"}, "cannot read the Dockerfile ../Dockerfile"},
		"Dockerfile by a link":        {builder.Recipe{Dockerfile: "link/Dockerfile"}, "cannot read the Dockerfile link/Dockerfile"},
		"static outside":              {builder.Recipe{Static: ".."}, "static: cannot use .."},
		"no static directory":         {builder.Recipe{Static: "public"}, `static: there is no directory "public"`},
		"a secret without a value":    {builder.Recipe{Secrets: []string{"token"}}, `build secret "token" has no value`},
		"a Dockerfile is a directory": {builder.Recipe{Dockerfile: "web"}, "cannot read the Dockerfile web"},
	} {
		t.Run(name, func(t *testing.T) {
			r := bench{registry: "127.0.0.1:1"}.request(t, test.recipe, map[string]string{"Dockerfile": "FROM scratch\n", "file": "", "web/page": ""})
			must(t, os.Symlink(outside, filepath.Join(r.Source, "link")))
			if got := buildFails(t, b, r, batuta.Invalid); !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestRequestIsRefused(t *testing.T) {
	b, err := builder.New(builder.Config{})
	must(t, err)
	defer b.Close()
	for name, change := range map[string]func(*builder.Request){
		"a branch for a revision":         func(r *builder.Request) { r.Revision = "main" },
		"a repository without a registry": func(r *builder.Request) { r.Repository = "portal" },
	} {
		t.Run(name, func(t *testing.T) {
			r := bench{registry: "127.0.0.1:1"}.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "FROM scratch\n"})
			change(&r)
			buildFails(t, b, r, batuta.Invalid)
		})
	}
}

func TestBuildsSideBySide(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		built := b.builder(t)
		var group errgroup.Group
		for i := range 8 {
			r := b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "FROM busybox\nCOPY page /\nRUN cat /page\n"})
			text := string(r.Revision)
			must(t, os.WriteFile(filepath.Join(r.Source, "page"), []byte(text+"\n"), 0o644))
			if i%2 == 1 { // of one app
				r.App = "shared"
			}
			group.Go(func() error {
				var log output
				if _, err := built.Build(t.Context(), r, &log); err != nil {
					return err
				}
				if !strings.Contains(log.String(), " "+text+"\n") {
					return fmt.Errorf("%s is not in its log:\n%s", text, log.String())
				}
				return nil
			})
		}
		must(t, group.Wait())
	})
}
