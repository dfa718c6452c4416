package pipeline_test

import (
	"testing"
	"time"

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
			"web":  {Context: "web", Dockerfile: "web/Dockerfile", Cache: builder.Cache{To: "none"}, Target: "run", Args: map[string]string{"A": "1"}, Secrets: []string{"npm"}},
			"docs": {Static: "public"},
		},
		On:          pipeline.Triggers{Push: pipeline.PushTrigger{Branches: []string{"main", "master"}}},
		Promote:     []batuta.EnvironmentName{"qa", "production"},
		Concurrency: pipeline.SupersedeOlder, Timeout: time.Hour,
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
batuta.yml:5:24: on.push.branches.0: "[a" is not a pattern (write main, release/*, docs/**, !**/*.md)
batuta.yml:5:32: on.pull: unknown key "pull" (did you mean "poll"?)
batuta.yml:6:15: promote.1: "QA" is not a name (use 1 to 40 lower-case letters, digits and inner hyphens)
batuta.yml:6:19: promote.2: qa stands twice (a release goes to an environment once: remove one)`
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
		"refs/heads/dev": false, "refs/heads/release/1/fix": false, "refs/tags/v1": false, "main": false,
	} {
		if got, why := r.Wants(ref); got != wanted || got == (why != "") {
			t.Errorf("%s starts a run: %v (%q), want %v", ref, got, why, wanted)
		}
	}
}

func TestPatternsChoose(t *testing.T) {
	t.Parallel()
	trigger := pipeline.PushTrigger{Paths: []string{"!docs/**", "!**/*.md", "docs/api/**"}}
	for path, wanted := range map[string]bool{
		"main.go": true, "docs/a": false, "web/README.md": false, "docs/api/x.json": true,
	} {
		if got, why := trigger.WantsPaths([]string{path}); got != wanted || got == (why != "") {
			t.Errorf("%s starts a run: %v (%q), want %v", path, got, why, wanted)
		}
	}
	if got, _ := trigger.WantsPaths([]string{"docs/a", "main.go"}); !got {
		t.Error("one path that is wanted is not enough")
	}
}

// TestParseWholeRecipe reads every key there is.
func TestParseWholeRecipe(t *testing.T) {
	t.Parallel()
	r, err := pipeline.ParseRecipe("batuta.yml", []byte(pipeline.WholeRecipe))
	if err != nil {
		t.Fatal(err)
	}
	if r.Images["web"].Contexts["base"] != "image:base" || r.Images["web"].Cache.To != "max" {
		t.Errorf("images: %+v", r.Images)
	}
	unit := r.Tests[0]
	if unit.Image != "web" || unit.Run.Shell != "npm test" || unit.Timeout != 10*time.Minute || unit.Services["db"].Ready.Timeout != time.Minute {
		t.Errorf("tests: %+v", r.Tests)
	}
	if len(r.On.Cron) != 2 || r.On.Cron[0].Missed != pipeline.MissedOnce || r.On.Cron[1].Zone != "Europe/Berlin" || r.On.Cron[1].Ref != "refs/heads/main" {
		t.Errorf("cron: %+v", r.On.Cron)
	}
	if len(r.Notify) != 2 || len(r.Notify[0].On) != len(batuta.Topics()) || r.Notify[1].Branches[0] != "main" {
		t.Errorf("notify: %+v", r.Notify)
	}
	if s := r.Stages["production"]; s.Soak != time.Hour || s.Approvals != 2 || len(r.Stages) != 1 || len(r.Promote) != 2 {
		t.Errorf("stages: %+v, order: %v", r.Stages, r.Promote)
	}
}

func TestParseRecipeTellsEveryMistakeOfTheRest(t *testing.T) {
	t.Parallel()
	_, err := pipeline.ParseRecipe("batuta.yml", []byte(`app: portal
images:
  a: {contexts: {b: "image:b"}, platforms: [arm]}
  b: {contexts: {a: "image:a", c: "image:c"}, cache: {to: everywhere}}
test:
- {name: unit, run: x}
- {name: unit, image: c, services: {db: {image: "db:1", ready: {}}}, retries: 9}
on:
  push: {tags: ["!"]}
  cron: [often, {schedule: "@daily", zone: Mars, missed: twice}, "0 0 31 2 *"]
  poll: 1s
promote: [{to: qa, soak: 1h}, {to: production, approvers: [ada], approvals: 2, windows: [always], freeze: [now]}]
concurrency: none
timeout: 25h
retries: 11
`))
	want := `batuta.yml:3:17: images.a.contexts: a, b need each other (take one image: out)
batuta.yml:3:45: images.a.platforms.0: "arm" is not a platform (write linux/amd64, linux/arm64 or linux/arm/v7)
batuta.yml:4:35: images.b.contexts.c: no image "c" (known here: a, b)
batuta.yml:4:59: images.b.cache.to: "everywhere" is no way to keep the cache (write inline, max or none)
batuta.yml:6:3: test.0.image: image is missing (name one of images, or a reference such as node:22)
batuta.yml:7:3: test.1.run: run is missing (write the command that tests: run: npm test)
batuta.yml:7:10: test.1.name: unit stands twice (give one of the two another name)
batuta.yml:7:23: test.1.image: no image "c" (known here: a, b)
batuta.yml:7:64: test.1.services.db.ready: 0 ways to be ready (write one of tcp: 3306, http: :8080/health, run: COMMAND)
batuta.yml:7:79: test.1.retries: 9 is not between 0 and 5 (write 1)
batuta.yml:9:17: on.push.tags.0: "!" is not a pattern (write main, release/*, docs/**, !**/*.md)
batuta.yml:10:10: on.cron.0.schedule: "often" is not a schedule: expected exactly 5 fields, found 1: [often] (write minute, hour, day, month and weekday: 0 4 * * *)
batuta.yml:10:44: on.cron.1.zone: no time zone "Mars" (write one of the IANA database: Europe/Berlin, UTC)
batuta.yml:10:58: on.cron.1.missed: "twice" is no way to treat missed times (write once or skip)
batuta.yml:10:66: on.cron.2.schedule: "0 0 31 2 *" is never (name a day that there is)
batuta.yml:11:9: on.poll: 1s is less than 10s (write 2m)
batuta.yml:12:11: promote.0: a push deploys to the first environment: nothing is promoted to it (give the rules to a later one)
batuta.yml:12:77: promote.1.approvals: 2 approvals of 1 approvers (ask for fewer, or name more)
batuta.yml:12:90: promote.1.windows.0: "always" is not a time window (write days, hours and a time zone: Mon-Fri 08:00-16:00 Europe/Berlin, or Fri 22:00-02:00, which ends the day after)
batuta.yml:12:108: promote.1.freeze.0: "now" is not a span of days (write the first and the last day, and a time zone: 2026-12-20..2027-01-06 Europe/Berlin)
batuta.yml:13:14: concurrency: "none" is no way to treat older runs (write supersede, queue or cancel)
batuta.yml:14:10: timeout: 25h0m0s is not between 1s and 24h0m0s (write 30m, 2h)
batuta.yml:15:10: retries: 11 is not between 0 and 10 (write 2)`
	if err == nil {
		t.Fatal("it was taken")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseRecipe(f *testing.F) {
	f.Add("app: a\nimages: {web: {static: public}}\npromote: [qa]\n")
	f.Add("app: a\non: {push: {branches: [main]}}\nimages: {w: {args: {A: [1]}}}")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := pipeline.ParseRecipe("batuta.yml", []byte(text)); err == nil && len(r.Promote) == 0 && r.Include == nil {
			t.Error("a recipe without environments was taken")
		}
	})
}
