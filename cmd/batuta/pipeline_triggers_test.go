package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/builder"
	"batuta/deployer/trial"
	"batuta/internal/gitsource"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// skips waits for a run to end as skipped, for this reason.
func (s *works) skips(t *testing.T, id batuta.RunID, why string) {
	t.Helper()
	if run := s.ended(t, id); run.Status != batuta.RunSkipped || !strings.Contains(run.Error, why) {
		t.Fatalf("run %d: %s: %s; want it skipped with %q", id, run.Status, run.Error, why)
	}
}

// count waits until there are n runs in all, and gives them, the newest first.
func (s *works) count(t *testing.T, n int) []batuta.Run {
	t.Helper()
	var runs []batuta.Run
	lab.Wait(t, 20*time.Second, func() (err error) {
		if runs, err = s.store.Runs(t.Context(), nil, "", 0); err == nil && len(runs) != n {
			err = fmt.Errorf("%d runs, want %d", len(runs), n)
		}
		return err
	})
	return runs
}

func TestACommitMaySayThatItStartsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	for _, mark := range []string{"typo [skip ci]", "[CI SKIP] typo", "typo\n\nskip-checks: true"} {
		w.message = mark
		s.skips(t, s.push(t, mark[:8]), "the commit's message says")
	}
	byHand, err := s.Start(t.Context(), testApp, "main", "", "ana")
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, byHand)
}

// TestASkippedPushBringsWhatItSuperseded: the code of a push that waited is
// not lost because the next one says [skip ci].
func TestASkippedPushBringsWhatItSuperseded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.message = "typo [skip ci]"
	s := w.open(t, nil)
	first, second := s.push(t, "one"), s.push(t, "two")
	s.work(t)
	if run := s.ended(t, first); run.Status != batuta.RunSuperseded {
		t.Fatalf("run %d is %s", first, run.Status)
	}
	s.succeeds(t, second)
}

func TestOnlyChangedPathsStartARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", `"release/*"]`, `"release/*"], paths: ["!docs/**"]`)
	s := w.start(t)
	s.succeeds(t, s.push(t, "one")) // nothing to compare with
	changed := map[batuta.Revision][]string{revision("two"): {"docs/a"}, revision("three"): {"docs/a", "src/b"}, revision("four"): {"docs/a", "src/b", "docs/c"}}
	var from []batuta.Revision
	w.mu.Lock()
	w.changed = func(since, to batuta.Revision) ([]string, error) {
		from = append(from, since)
		return changed[to], nil
	}
	w.mu.Unlock()
	s.skips(t, s.push(t, "two"), "nothing changed that is among on.push.paths (!docs/**)")

	w.mu.Lock()
	w.onBuild = func(context.Context, builder.Request) error { return errors.New("broken") }
	w.mu.Unlock()
	s.fails(t, s.push(t, "three"), "broken")
	w.mu.Lock()
	w.onBuild = nil
	w.mu.Unlock()
	s.succeeds(t, s.push(t, "four")) // brings what the failed one was to bring
	if want := []batuta.Revision{revision("one"), revision("one"), revision("one")}; !slices.Equal(from, want) {
		t.Errorf("compared with %v, want %v", from, want)
	}
	w.mu.Lock()
	w.changed = nil
	w.mu.Unlock()
	s.succeeds(t, s.push(t, "five")) // after a force push the base is gone
}

func TestTagsStartARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", `"release/*"]`, `"release/*"], tags: ["v*", "!v0*"]`)
	w.refs.Tips = map[string]batuta.Revision{"refs/tags/v1": revision("v1"), "refs/tags/v0.9": revision("v0.9")}
	s := w.start(t)
	tag := func(name string) batuta.RunID {
		return s.deliver(t, batuta.Push{App: testApp, Forge: "gitea", Delivery: name, Ref: "refs/tags/" + name, Revision: revision(name)})
	}
	s.succeeds(t, tag("v1"))
	s.skips(t, tag("v0.9"), "tag v0.9 is not among on.push.tags (v*, !v0*)")

	s.skips(t, tag("v2"), "tag v2 was deleted before the run began")
	unknown := s.deliver(t, batuta.Push{App: testApp, Forge: "gogs", Delivery: "v3", Ref: "refs/tags/v3"}) // where it is is not told
	s.skips(t, unknown, "tag v3 was deleted before the run began")
	if all, err := s.store.Releases(t.Context(), testApp, 10); err != nil || len(all) != 1 {
		t.Errorf("%d releases (%v), want that of v1", len(all), err)
	}
}

func TestTheClockStartsOneRunForAllThatWasMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "on: {", `on: {cron: ["0 4 * * *", {schedule: "30 5 * * *", missed: skip}], `)
	s := w.open(t, nil)
	stop := s.work(t)
	s.succeeds(t, s.push(t, "one"))
	longAgo := time.Now().Add(-72 * time.Hour)
	for _, schedule := range []string{"0 4 * * * UTC", "30 5 * * * UTC"} {
		if err := s.store.Follow(t.Context(), testApp, schedule, longAgo); err != nil {
			t.Fatal(err)
		}
	}
	s.Wake()
	run := s.count(t, 2)[0]
	if run.Push.Forge != "cron" || !strings.HasPrefix(run.Push.Delivery, "0 4 * * * UTC ") {
		t.Errorf("the run is of %s, %s", run.Push.Forge, run.Push.Delivery)
	}
	s.succeeds(t, run.ID)
	stop()
	again := w.start(t)
	again.succeeds(t, again.push(t, "two"))
	again.count(t, 3)
}

func TestARepositoryIsPolled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "on: {", "on: {poll: 10s, ")
	w.refs = gitsource.Refs{Default: "refs/heads/main", Tips: map[string]batuta.Revision{
		"refs/heads/main": revision("one"), "refs/heads/release/1": revision("old"), "refs/heads/dev": revision("dev"), "refs/tags/v1": revision("v1"),
	}}
	w.poll = 100 * time.Millisecond
	s := w.start(t)
	first := s.count(t, 1)[0]
	if first.Push.Ref != "refs/heads/main" || first.Push.Revision != revision("one") || first.Push.Forge != "poll" {
		t.Fatalf("the first run is of %+v", first.Push)
	}
	s.succeeds(t, first.ID)
	if refs, err := s.store.Refs(t.Context(), testApp); err != nil || refs["refs/heads/release/1"].Revision != revision("old") {
		t.Fatalf("the refs that were seen: %+v, %v", refs, err)
	}
}

func TestAPollTakesInWhatMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "on: {", "on: {poll: 10s, ")
	w.refs = gitsource.Refs{Default: "refs/heads/main", Tips: map[string]batuta.Revision{"refs/heads/main": revision("one"), "refs/heads/dev": revision("dev")}}
	s := w.open(t, nil)
	stop := s.work(t)
	s.succeeds(t, s.push(t, "one")) // a webhook was quicker
	if err := s.store.RecordRefs(t.Context(), testApp, map[string]batuta.Revision{"refs/heads/main": revision("zero")}); err != nil {
		t.Fatal(err)
	}
	stop()
	w.mu.Lock()
	w.refs.Tips["refs/heads/dev"] = revision("newer")
	w.refs.Tips["refs/heads/release/2"] = revision("two")
	w.mu.Unlock()
	again := w.start(t)
	run := again.count(t, 2)[0]
	if run.Push.Ref != "refs/heads/release/2" || run.Push.Forge != "poll" {
		t.Errorf("the run is of %+v", run.Push)
	}
	again.succeeds(t, run.ID)
}

// A branch that was deleted and is pushed again, at the revision that it had,
// is pushed.
func TestAPollSeesABranchComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "on: {", "on: {poll: 10s, ")
	w.poll = 100 * time.Millisecond // until it has had a run
	main := map[string]batuta.Revision{"refs/heads/main": revision("one")}
	both := map[string]batuta.Revision{"refs/heads/main": revision("one"), "refs/heads/release/1": revision("two")}
	at := func(tips map[string]batuta.Revision) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.refs = gitsource.Refs{Default: "refs/heads/main", Tips: tips}
	}
	runs := 0
	for _, step := range []struct {
		tips map[string]batuta.Revision
		more int
	}{{main, 1}, {both, 1}, {main, 0}, {both, 1}, {both, 0}} {
		at(step.tips)
		s := w.open(t, nil) // which looks at once
		stop := s.work(t)
		runs += step.more
		for _, r := range s.count(t, runs) {
			s.succeeds(t, r.ID)
		}
		lab.Wait(t, 10*time.Second, func() error {
			refs, err := s.store.Refs(t.Context(), testApp)
			if got := refs["refs/heads/release/1"].Revision; err != nil || got != step.tips["refs/heads/release/1"] {
				return fmt.Errorf("release/1 was seen at %q (%w)", got, err)
			}
			return nil
		})
		stop()
	}
}

func TestConcurrencyIsTheAppsChoice(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string][3]batuta.RunStatus{
		"supersede": {batuta.RunSucceeded, batuta.RunSuperseded, batuta.RunSucceeded},
		"queue":     {batuta.RunSucceeded, batuta.RunSucceeded, batuta.RunSucceeded},
		"cancel":    {batuta.RunCancelled, batuta.RunSuperseded, batuta.RunSucceeded},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.edit("batuta.yml", "promote:", "concurrency: "+mode+"\npromote:")
			s := w.start(t)
			s.succeeds(t, s.push(t, "zero"))
			started, goOn := make(chan struct{}), make(chan struct{})
			w.mu.Lock()
			w.onBuild = func(ctx context.Context, r builder.Request) error {
				if r.Revision != revision("one") {
					return nil
				}
				close(started)
				select {
				case <-goOn:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			w.mu.Unlock()
			ids := [3]batuta.RunID{s.push(t, "one")}
			<-started
			ids[1] = s.push(t, "two")
			ids[2] = s.push(t, "three")
			if mode == "cancel" {
				s.ended(t, ids[0])
			}
			close(goOn)
			for i, id := range ids {
				if run := s.ended(t, id); run.Status != want[i] {
					t.Errorf("run %d is %s (%s), want %s", id, run.Status, run.Error, want[i])
				}
			}
		})
	}
}

func TestARunTakesNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "promote:", "timeout: 1s\npromote:")
	w.onBuild = func(ctx context.Context, _ builder.Request) error { <-ctx.Done(); return ctx.Err() }
	s := w.start(t)
	s.fails(t, s.push(t, "one"), "it took longer than 1s")
}

func TestTestsGateARelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "promote:", `test:
- {name: unit, run: make test, env: {TOKEN: "${secret:npm}"}}
- {name: other, image: "hub.example.edu/node:22", run: [npm, test]}
promote:`)
	met := make(chan struct{}) // each test waits for the other: they run at the same time
	w.onTest = func(ctx context.Context, r trial.Request) (trial.Report, error) {
		if r.Test.Name == "unit" {
			select {
			case met <- struct{}{}:
			case <-ctx.Done():
				return trial.Report{}, ctx.Err()
			}
		} else {
			select {
			case <-met:
			case <-ctx.Done():
				return trial.Report{}, ctx.Err()
			}
		}
		return trial.Report{Passed: r.Test.Name != "unit" || r.Test.Env["TOKEN"] != npmSecret, ExitCode: 3, Failed: []trial.Case{{Suite: "cart", Name: "adds"}}}, nil
	}
	s := w.start(t)
	run := s.fails(t, s.push(t, "one"), "test unit: exit code 3\ncart: adds")
	if run.Release != 0 {
		t.Errorf("it made release %d", run.Release)
	}
	if log := s.log(t, run.ID); strings.Contains(log, npmSecret) || !strings.Contains(log, "testing other") {
		t.Error(log)
	}
}

func TestARunByHandGoesWhereItIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files["environments/preview.yml"] = qaDocument
	s := w.start(t)
	start := func(env batuta.EnvironmentName) batuta.RunID {
		t.Helper()
		id, err := s.Start(t.Context(), testApp, "feature", env, "ana")
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	for range 2 {
		s.succeeds(t, start("preview"))
	}
	if got := w.running("preview"); len(got) != 1 {
		t.Errorf("in preview run %v", got)
	}
	if got := w.running("qa"); len(got) != 0 {
		t.Errorf("in qa run %v", got)
	}
	s.fails(t, start("production"), "production takes what ran before it")
	s.fails(t, start("nowhere"), "the file is missing")
}

var _ pipeline.Tester = (*world)(nil)

// TestARerunBeginsWhereItIsTold reuses the images of the run before.
func TestARerunBeginsWhereItIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "promote:", "test: [{name: unit, run: make test}]\npromote:")
	flaky := true
	w.onTest = func(context.Context, trial.Request) (trial.Report, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		passed := !flaky
		flaky = false
		return trial.Report{Passed: passed}, nil
	}
	s := w.start(t)
	failed := s.fails(t, s.push(t, "one"), "test unit")
	if _, err := s.Rerun(t.Context(), failed.ID, "test other", "ana"); err == nil || !strings.Contains(err.Error(), `has no step "test other"`) {
		t.Fatal(err)
	}
	again, err := s.Rerun(t.Context(), failed.ID, "test unit", "ana")
	if err != nil {
		t.Fatal(err)
	}
	run := s.succeeds(t, again)
	if built := w.built(); built != 1 {
		t.Errorf("the image was built %d times", built)
	}
	if got := w.running("qa"); len(got) != 1 || run.Release != 1 {
		t.Errorf("release %d, in qa run %v", run.Release, got)
	}
	redeployed, err := s.Rerun(t.Context(), again, "deploy qa", "ana")
	if err != nil {
		t.Fatal(err)
	}
	if run := s.succeeds(t, redeployed); run.Release != 1 || w.built() != 1 {
		t.Errorf("from the deployment on: release %d, built %d times", run.Release, w.built())
	}
}

// TestARerunFetchesItsTreeOnce has two images built from a tree that is gone.
func TestARerunFetchesItsTreeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "images: {", "images: {api: {dockerfile: Dockerfile}, ")
	s := w.start(t)
	run := s.succeeds(t, s.push(t, "one"))
	w.mu.Lock()
	before := w.fetches
	w.onFetch = func(context.Context) error { time.Sleep(20 * time.Millisecond); return nil }
	w.mu.Unlock()
	build := slices.IndexFunc(run.Steps, func(s batuta.Step) bool { return strings.HasPrefix(s.Name, "build ") })
	again, err := s.Rerun(t.Context(), run.ID, run.Steps[build].Name, "ana")
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, again)
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := w.fetches - before; got != 1 {
		t.Errorf("the tree was fetched %d times", got)
	}
}

// TestAppsTakeTurns: one app's many pushes do not keep another's waiting.
func TestAppsTakeTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open(t, nil)
	var ids []batuta.RunID
	for i := range 4 {
		ids = append(ids, s.deliver(t, batuta.Push{App: testApp, Forge: "gitea", Delivery: fmt.Sprint("a", i), Ref: fmt.Sprintf("refs/heads/release/%d", i), Revision: revision("a")}))
	}
	r, err := s.store.Accept(t.Context(), batuta.Push{App: "late", Forge: "gitea", Delivery: "b", Ref: "refs/heads/main", Revision: revision("b")})
	if err != nil {
		t.Fatal(err)
	}
	var order []batuta.RunID
	for range 5 {
		run, _, err := s.store.Claim(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, run.ID)
	}
	if want := []batuta.RunID{ids[0], r.Run, ids[1], ids[2], ids[3]}; !slices.Equal(order, want) {
		t.Errorf("served %v, want %v", order, want)
	}
}
