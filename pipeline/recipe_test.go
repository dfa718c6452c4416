package pipeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/builder"
	"batuta/pipeline"
)

func TestParseRecipe(t *testing.T) {
	t.Parallel()
	got, err := pipeline.ParseRecipe("batuta.yml", []byte(`
app: portal
images:
  web: {context: web, dockerfile: web/Dockerfile, target: run, args: {A: 1}, secrets: [npm]}
  docs: {static: public}
promote: [qa, production]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := pipeline.Recipe{
		App: "portal",
		Images: map[batuta.ImageName]builder.Recipe{
			"web":  {Context: "web", Dockerfile: "web/Dockerfile", Target: "run", Args: map[string]string{"A": "1"}, Secrets: []string{"npm"}},
			"docs": {Static: "public"},
		},
		On:      pipeline.Triggers{Push: pipeline.PushTrigger{Branches: []string{"main", "master"}}},
		Promote: []batuta.EnvironmentName{"qa", "production"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseRecipeTellsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := pipeline.ParseRecipe("batuta.yml", []byte(`app: Portal!
images:
  "we b": {}
  web: {context: ../other, static: public, target: x}
on: {push: {branches: ["[a"]}, pull: {}}
promote: [qa, QA, qa]
`))
	want := `batuta.yml:1:6: app: "Portal!" is not a name (use 1 to 40 lower-case letters, digits and inner hyphens)
batuta.yml:3:11: images.we b: "we b" is not an image's name (it becomes part of a repository's: use lower-case letters and digits, with single '.', '_' or '-' between them)
batuta.yml:4:18: images.web.context: "../other" leads outside the repository (write a path relative to the repository's top)
batuta.yml:4:36: images.web.static: a static image takes no other key (remove the others, or write a dockerfile instead of static)
batuta.yml:5:24: on.push.branches.0: "[a" is not a pattern (write main, release/*, v[0-9]*)
batuta.yml:5:32: on.pull: unknown key "pull" (did you mean "push"?)
batuta.yml:6:15: promote.1: "QA" is not a name (use 1 to 40 lower-case letters, digits and inner hyphens)
batuta.yml:6:19: promote.2: qa stands twice`
	if err == nil {
		t.Fatal("it was taken")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestWhichPushesStartARun(t *testing.T) {
	t.Parallel()
	r := pipeline.Recipe{On: pipeline.Triggers{Push: pipeline.PushTrigger{Branches: []string{"main", "release/*"}}}}
	for ref, wanted := range map[string]bool{
		"refs/heads/main": true, "refs/heads/release/1": true,
		"refs/heads/dev": false, "refs/heads/release/1/fix": false, "refs/tags/main": false, "main": false,
	} {
		if got, why := r.Wants(ref); got != wanted || got == (why != "") {
			t.Errorf("%s starts a run: %v (%q), want %v", ref, got, why, wanted)
		}
	}
}

func FuzzParseRecipe(f *testing.F) {
	f.Add("app: a\nimages: {web: {static: public}}\npromote: [qa]\n")
	f.Add("app: a\non: {push: {branches: [main]}}\nimages: {w: {args: {A: [1]}}}")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := pipeline.ParseRecipe("batuta.yml", []byte(text)); err == nil && len(r.Promote) == 0 {
			t.Error("a recipe without environments was taken")
		}
	})
}
