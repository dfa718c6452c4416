package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"batuta"
	"batuta/builder"
	"batuta/deployer"
	"batuta/deployer/shiptest"
	"batuta/internal/lab"
	"batuta/pipeline"
)

func TestPushBecomesQAAndPromotionProduction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)

	run := s.succeeds(t, s.push(t, "one"))
	var steps []string
	for _, step := range run.Steps {
		steps = append(steps, step.Name)
	}
	if want := []string{"source", "read", "build web", "release", "deploy qa"}; !slices.Equal(steps, want) {
		t.Fatalf("the steps are %q, want %q", steps, want)
	}
	want(t, w.running("qa"), "web-1@a=one")
	want(t, w.running("production"))
	if log := s.log(t, run.ID); strings.Contains(log, npmSecret) || !strings.Contains(log, "building with [secret]") {
		t.Errorf("the log shows a secret, or not what was printed:\n%s", log)
	}

	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))
	want(t, w.running("production"), "web-1@b=one", "web-2@c=one")

	s.succeeds(t, s.push(t, "two"))
	want(t, w.running("qa"), "web-1@a=two")
	want(t, w.running("production"), "web-1@b=one", "web-2@c=one")
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunRollback, Environment: "production"}))
	want(t, w.running("production"), "web-1@b=one", "web-2@c=one")
	if w.built() != 2 {
		t.Errorf("%d builds; promoting and rolling back build nothing", w.built())
	}
}

func TestWhatIsNotHealthyIsNotPromoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	refused := func(o pipeline.Order, why string) {
		t.Helper()
		o.App, o.Kind = testApp, batuta.RunPromotion
		if _, err := s.Order(t.Context(), o); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("promote %+v: %v, want %q", o, err, why)
		}
	}
	refused(pipeline.Order{Environment: "production"}, "has no release yet")
	s.succeeds(t, s.push(t, "one"))
	refused(pipeline.Order{Environment: "production", Release: 7}, "it runs release 1, not 7")
	refused(pipeline.Order{Environment: "nowhere"}, "no environment nowhere")
	refused(pipeline.Order{Environment: "qa"}, "no environment comes before qa")
	container := w.ships["a"].All()[0]
	if err := w.ships["a"].Stop(t.Context(), container.ID, time.Second); err != nil {
		t.Fatal(err)
	}
	refused(pipeline.Order{Environment: "production"}, "takes only what qa runs healthy")
}

func TestAFailedDeploymentKeepsWhatRan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	w.ships["a"].Behave = func(i deployer.Instance) shiptest.Behaviour {
		return shiptest.Behaviour{Exits: strings.Contains(string(i.Image.Digest), string(revision("bad"))), ExitCode: 3, Prints: []string{"no database " + npmSecret}}
	}
	run := s.fails(t, s.push(t, "bad"), "replace web-1 on a")
	if !strings.Contains(run.Error, "no database") || strings.Contains(run.Error, npmSecret) {
		t.Errorf("the error should hold the last lines without secrets: %s", run.Error)
	}
	want(t, w.running("qa"), "web-1@a=one")
	status, err := s.Status(t.Context(), testApp)
	if err != nil {
		t.Fatal(err)
	}
	if qa := status[0]; !qa.Healthy || qa.Release != 1 || qa.Last.Status != batuta.RolledBack {
		t.Errorf("qa is %+v", qa)
	}
}

func TestTheApprovedPlanIsTheOneApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	o := pipeline.Order{Kind: batuta.RunPromotion, App: testApp, Environment: "production", By: "ana"}
	shown, err := s.Propose(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, s.push(t, "two"))
	o.Approved = shown.Hash
	if _, err := s.Order(t.Context(), o); !errors.Is(err, batuta.Conflict) {
		t.Fatalf("an outdated approval: %v, want a conflict", err)
	}
	shown, err = s.Propose(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Approved = shown.Hash
	id, err := s.Order(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, id)
}

func TestANewerPushSupersedesAQueuedOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	building, goOn := make(chan struct{}, 8), make(chan struct{})
	w.onBuild = func(ctx context.Context, _ builder.Request) error {
		building <- struct{}{}
		select {
		case <-goOn:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s := w.start(t)
	first := s.push(t, "one")
	<-building
	second, third := s.push(t, "two"), s.push(t, "three")
	other := s.deliver(t, batuta.Push{App: testApp, Forge: "gitea", Delivery: "r", Ref: "refs/heads/release/1", Revision: revision("r"), Received: time.Now()})
	again := s.push(t, "three")
	close(goOn)
	s.succeeds(t, first)
	if run := s.ended(t, second); run.Status != batuta.RunSuperseded {
		t.Errorf("the second push is %s", run.Status)
	}
	s.succeeds(t, third)
	s.succeeds(t, other)
	if again != third {
		t.Errorf("the same delivery became run %d and run %d", third, again)
	}
	if w.built() != 3 {
		t.Errorf("%d builds, want 3", w.built())
	}
}

func TestOneRunAtATimeDeploysToAnEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	var runs []batuta.RunID
	for i := range 6 { // of different branches, so that they build at the same time
		runs = append(runs, s.deliver(t, batuta.Push{App: testApp, Forge: "gitea", Delivery: fmt.Sprint(i), Ref: fmt.Sprintf("refs/heads/release/%d", i), Revision: revision(fmt.Sprint(i)), Received: time.Now()}))
	}
	for _, id := range runs {
		s.succeeds(t, id)
	}
	if len(w.running("qa")) != 1 {
		t.Errorf("qa runs %q", w.running("qa"))
	}
	deployments, err := s.store.Deployments(t.Context(), testApp, "qa", 10)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(deployments); i++ { // newest first
		if newer, older := deployments[i-1], deployments[i]; newer.Started.Before(older.Ended) {
			t.Errorf("deployment %d began before deployment %d ended", newer.ID, older.ID)
		}
	}
}

func TestARunThatWaitsForAnEnvironmentLeavesItsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.atOnce = 2
	deploying, goOn := make(chan struct{}, 8), make(chan struct{})
	w.ships["a"].Before = func(c shiptest.Call) error {
		if c.Method == "Create" {
			deploying <- struct{}{}
			<-goOn
		}
		return nil
	}
	s := w.start(t)
	branch := func(name string) batuta.RunID {
		return s.deliver(t, batuta.Push{App: testApp, Forge: "gitea", Delivery: name, Ref: "refs/heads/release/" + name, Revision: revision(name), Received: time.Now()})
	}
	runs := []batuta.RunID{branch("1")}
	<-deploying
	runs = append(runs, branch("2"), branch("3"))
	lab.Wait(t, 10*time.Second, func() error {
		if w.built() < 3 {
			return fmt.Errorf("%d of 3 are built while the first deploys", w.built())
		}
		return nil
	})
	close(goOn)
	for _, id := range runs {
		s.succeeds(t, id)
	}
}

func TestSkippedRefusedAndRetried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	skipped := s.ended(t, s.deliver(t, batuta.Push{App: testApp, Forge: "gitea", Delivery: "x", Ref: "refs/heads/wip", Revision: revision("x"), Received: time.Now()}))
	if skipped.Status != batuta.RunSkipped || !strings.Contains(skipped.Error, "branch wip is not among on.push.branches") {
		t.Errorf("a push to another branch: %s: %s", skipped.Status, skipped.Error)
	}
	byHand, err := s.Start(t.Context(), testApp, "wip", "", "ana")
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, byHand)

	var tries atomic.Int32
	w.mu.Lock()
	w.onBuild = func(context.Context, builder.Request) error {
		if tries.Add(1) <= 2 {
			return &batuta.Error{Kind: batuta.Unavailable, Message: "BuildKit does not answer"}
		}
		return nil
	}
	w.mu.Unlock()
	run := s.succeeds(t, s.push(t, "later"))
	if i := slices.IndexFunc(run.Steps, func(s batuta.Step) bool { return s.Name == "build web" }); run.Steps[i].Attempt != 3 {
		t.Errorf("the build is attempt %d, want 3", run.Steps[i].Attempt)
	}
	tries.Store(-100)
	run = s.fails(t, s.push(t, "gone"), "BuildKit does not answer")
	tries.Store(100)
	again, err := s.Rerun(t.Context(), run.ID, "", "ana")
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, again)
	want(t, w.running("qa"), "web-1@a=gone")
}

// unresolvable is a document whose mistakes show only against the server.
const unresolvable = `batuta: 1
services:
  db:
    image: postgres:17
    instances: {db-1: {ship: bb}}
    requires: [web]
  web:
    build: wbe
    on: {role: prod}
    count: 2
    requires: [db]
    env: {TOKEN: "${secret:nmp}"}
  cache:
    image: redis:8
    ports: {redis: "6379:6379"}
    instances: {cache-1: {ship: b}, cache-2: {ship: b}}
`

func TestMistakesOfARepositoryAreToldAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files = map[string]string{
		"batuta.yml":                  "app: shop\nimages: {web: {dokerfile: x}}\npromote: [qa, production, staging]\n",
		"environments/qa.yml":         "batuta: 1\nservices:\n  web: {biuld: web}\n",
		"environments/production.yml": unresolvable,
	}
	s := w.start(t)
	run := s.ended(t, s.push(t, "one"))
	for _, problem := range []string{
		`batuta.yml:2:16: images.web.dokerfile: unknown key "dokerfile" (did you mean "dockerfile"?)`,
		`environments/qa.yml:3:9: services.web.biuld: unknown key "biuld" (did you mean "build"?)`,
		`environments/production.yml:5:30: services.db.instances.db-1.ship: no ship "bb" (did you mean "b"?)`,
		`environments/production.yml:6:15: services.db.requires: the services require each other: db → web → db`,
		`environments/production.yml:8:12: services.web.build: no image "wbe" is built (did you mean "web"?)`,
		`environments/production.yml:9:9: services.web.on: no ship matches role = prod (the ships are b (name=b, role=production), c (name=c, role=production))`,
		`environments/production.yml:12:18: services.web.env.TOKEN: no secret "nmp"`,
		`environments/production.yml:15:20: services.cache.ports.redis: cache-1 and cache-2 both want host port 6379 of b`,
		`environments/staging.yml:1:1: the file is missing (batuta.yml names staging in promote)`,
	} {
		if !strings.Contains(run.Error, problem) {
			t.Errorf("the error lacks %q:\n%s", problem, run.Error)
		}
	}
	if w.built() != 0 {
		t.Error("it was built all the same")
	}
	w.files = map[string]string{}
	s.fails(t, s.push(t, "two"), "no batuta.yml")
}

func TestAnAppUsesNoImageOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	w.edit("environments/production.yml", "build: web", "image: \"registry.example.edu/shopping/web@sha256:"+strings.Repeat("1", 64)+"\"")
	s.fails(t, s.push(t, "one"), "environments/production.yml:1:1: services.web: registry.example.edu/shopping/web is not an image of shop")
	w.edit("environments/production.yml", "/shopping/", "/shop/")
	s.succeeds(t, s.push(t, "two"))
}

func TestAPushStaysWhereAPushGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))
	w.edit("batuta.yml", "promote: [qa, production]", "promote: [production, qa]")
	s.fails(t, s.push(t, "two"), "what is live there was promoted from qa")
	want(t, w.running("production"), "web-1@b=one", "web-2@c=one")

	// An environment that is not declared any more is still shown, and can be
	// deployed to as it was.
	w.edit("batuta.yml", "promote: [production, qa]", "promote: [qa]")
	s.succeeds(t, s.push(t, "three"))
	status, err := s.Status(t.Context(), testApp)
	if err != nil || len(status) != 2 || status[1].Environment != "production" || !status[1].Healthy {
		t.Errorf("the status is %+v (%v), want production in it", status, err)
	}
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunDeploy, Environment: "production"}))
}

func TestEachRollbackGoesFurtherBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	for _, word := range []string{"one", "two", "three"} {
		s.succeeds(t, s.push(t, word))
	}
	for _, word := range []string{"two", "one"} {
		s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunRollback, Environment: "qa"}))
		want(t, w.running("qa"), "web-1@a="+word)
	}
	if _, err := s.Order(t.Context(), pipeline.Order{App: testApp, Kind: batuta.RunRollback, Environment: "qa"}); !errors.Is(err, batuta.Conflict) {
		t.Errorf("a rollback from the first release: %v, want a conflict", err)
	}
	run := s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunRollback, Environment: "qa", Release: 3}))
	want(t, w.running("qa"), "web-1@a=three")
	if _, err := s.Rerun(t.Context(), run.ID, "", "ben"); !errors.Is(err, batuta.Conflict) {
		t.Errorf("an order is run again without its approval: %v", err)
	}
}

func TestCancelAndStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	building := make(chan struct{}, 8)
	w.onBuild = func(ctx context.Context, _ builder.Request) error {
		building <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	s := w.open(t, nil)
	stop := s.work(t)
	id := s.push(t, "one")
	<-building
	if err := s.Cancel(t.Context(), id, "ana"); err != nil {
		t.Fatal(err)
	}
	if run := s.ended(t, id); run.Status != batuta.RunCancelled || run.Error != "cancelled by ana" {
		t.Errorf("the run is %s: %s", run.Status, run.Error)
	}

	id = s.push(t, "two")
	<-building
	stop() // as SIGTERM does: the build ends, the run is left to the next server
	w.onBuild = nil
	s = w.start(t)
	run := s.succeeds(t, id)
	if w.fetches != 2 {
		t.Errorf("%d fetches for two runs: a step that had ended was done again", w.fetches)
	}
	if run.Steps[2].Attempt != 2 {
		t.Errorf("the interrupted build is attempt %d, want 2", run.Steps[2].Attempt)
	}
	lab.Wait(t, 5*time.Second, func() error {
		if left := len(w.running("qa")); left != 1 {
			return fmt.Errorf("%d containers", left)
		}
		return nil
	})
}

// TestWhatIsKeptIsThereToGoBackTo has an app keep three releases: older images
// go from the ship, and what a rollback may go to is there.
func TestWhatIsKeptIsThereToGoBackTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keep = 3
	s := w.start(t)
	words := []string{"one", "two", "three", "four", "five"}
	images := map[string]string{}
	for _, word := range words {
		run := s.succeeds(t, s.push(t, word))
		r, err := s.store.Release(t.Context(), testApp, run.Release)
		if err != nil {
			t.Fatal(err)
		}
		images[word] = r.Images["web"].String()
	}
	for i, word := range words {
		if id, err := w.ships["a"].Find(t.Context(), images[word]); (id == "") != (i < 2) || err != nil {
			t.Errorf("the image of %s is %q (%v)", word, id, err)
		}
	}
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunRollback, Environment: "qa", Release: 3}))
	want(t, w.running("qa"), "web-1@a=three")
	if id, err := w.ships["a"].Find(t.Context(), images["five"]); id == "" || err != nil {
		t.Errorf("after the rollback the image of five is gone (%v)", err)
	}
}

// TestWhoDeploysElsewhereIsNamed has somebody deploy to the environment of a
// run without the server.
func TestWhoDeploysElsewhereIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	ship, env := w.ships["a"], deployer.Scope{App: testApp, Environment: "qa"}
	if by, err := ship.Lock(t.Context(), env, "ana@laptop", time.Minute); by != "" && by != "ana@laptop" || err != nil {
		t.Fatal(by, err)
	}
	run := s.fails(t, s.push(t, "one"), "ana@laptop")
	if len(w.running("qa")) != 0 {
		t.Errorf("run %d deployed all the same: %s", run.ID, run.Error)
	}
	if err := ship.Unlock(t.Context(), env, "ana@laptop"); err != nil {
		t.Fatal(err)
	}
}
