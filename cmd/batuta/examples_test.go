package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/api"
	"batuta/internal/lab"
)

// example is one of the applications and what it does of its own. The chain
// tests have the whole way of examples/node.
type example struct {
	name      string
	bases     []lab.Base
	instances int               // of web in production
	qa, prod  string            // what / begins with
	add       map[string]string // bodies to POST, and where; what is kept shows at /
	shows     []string          // at /, from what was added
	migrated  string            // a line of the migration, once for each database
	ran       string            // a line of the hook, once for each deployment
	edit      [3]string         // file, from and to: the second push
	test      string            // what batuta.yml tests
	breaks    [3]string         // file, from and to: a push that a test refuses
	failed    string            // how the run names the test's case
	kept      string            // an artifact of the first run
	without   string            // a path of the tests that production does not have
}

// examplesTold has the examples that TestChain does not have.
var examplesTold = []example{
	{name: "static", instances: 2, qa: "Hello from Batuta", prod: "Hello from Batuta",
		edit: [3]string{"public/index.html", "Change this line", "Somebody changed this line"},
		test: "links", breaks: [3]string{"public/404.html", `href="/"`, `href="/home.html"`}, failed: "404.html:"},
	{name: "python", bases: []lab.Base{lab.Python}, instances: 1, qa: "Notes of QA", prod: "Notes",
		add: map[string]string{"/": "buy rosin"}, shows: []string{"buy rosin"}, migrated: "migrated to 2", ran: "the database is at 2",
		edit: [3]string{"notes/app.py", `"noted\n"`, `"noted well\n"`}, test: "unit", without: "/app/tests"},
	{name: "ruby", bases: []lab.Base{lab.Ruby}, instances: 1, qa: "Guests of QA", prod: "Guests",
		add: map[string]string{"/": "Clara"}, shows: []string{"Clara"}, migrated: "migrated to 2", ran: "the book is ready",
		edit: [3]string{"app.rb", `"welcome\n"`, `"be welcome\n"`}, test: "unit", without: "/app/test"},
	{name: "drupal", bases: []lab.Base{lab.PHP, lab.MariaDB}, instances: 2, qa: "Portal of QA", prod: "Portal",
		add: map[string]string{"/node": "Programme of the season", "/file": "the score"}, shows: []string{"Programme of the season", ".txt"},
		migrated: "update 8002 applied", ran: "the database is up to date",
		edit: [3]string{"src/Site.php", `"created\n"`, `"it is created\n"`},
		test: "unit", breaks: [3]string{"src/Site.php", "default => [404", "default => [200"}, failed: "portal: an unknown page is not there: got 200, want 404", kept: "junit.xml", without: "/opt/drupal/tests"},
}

// TestExamples pushes each example: its tests, QA, the promotion of the same
// bytes to production, and a second push that finds the data of the first.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, e := range examplesTold {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			registry := lab.Bases(t, e.bases...)
			app := batuta.AppName("example-" + e.name)
			s := newExampleSite(t, app)
			w := s.newExample(t, e.name, app)
			if slices.Contains(e.bases, lab.MariaDB) { // the server asks Docker Hub itself, which has no mirror for it
				for _, file := range []string{"batuta.yml", "environments/qa.yml", "environments/production.yml"} {
					w.edit(file, "mariadb:10.11", registry.Bridge+"/library/mariadb:10.11")
				}
			}

			first := s.succeeds(t, s.pushed(t, app, w).ID)
			tested(t, first, e.test)
			e.keeps(t, s, first)
			e.hooked(t, s, first, 1)
			qa := s.web(t, app, "qa", 1, e.qa)
			e.adds(t, qa[0].URLs[0])
			promoted := s.promoted(t, app)
			e.hooked(t, s, promoted, 1)
			production := s.web(t, app, "production", e.instances, e.prod)
			s.sameBytes(t, append(qa, production...))
			e.leaves(t, s, production)
			e.adds(t, production[0].URLs[0])

			w.edit(e.edit[0], e.edit[1], e.edit[2])
			second := s.succeeds(t, s.pushed(t, app, w).ID)
			e.hooked(t, s, second, 0)
			e.hooked(t, s, s.promoted(t, app), 0)
			for env, instances := range map[batuta.EnvironmentName]int{"qa": 1, "production": e.instances} {
				for _, text := range e.shows {
					s.web(t, app, env, instances, text)
				}
			}
			if now := s.web(t, app, "qa", 1, e.qa); now[0].ID == qa[0].ID {
				t.Error("the second push replaced nothing")
			}
			e.refused(t, s, app, w)
		})
	}
}

// tested wants a test of the run to have passed before its release was made.
func tested(t *testing.T, run batuta.Run, test string) {
	t.Helper()
	at := slices.IndexFunc(run.Steps, func(s batuta.Step) bool { return s.Name == "test "+test })
	made := slices.IndexFunc(run.Steps, func(s batuta.Step) bool { return s.Name == "release" })
	if at < 0 || run.Steps[at].Status != batuta.StepSucceeded || made < at {
		t.Errorf("run %d did not pass test %s: %+v", run.ID, test, run.Steps)
	}
}

// keeps wants the artifact of the run's test.
func (e example) keeps(t *testing.T, s *site, run batuta.Run) {
	t.Helper()
	kept, err := s.client.Artifacts(t.Context(), run.ID)
	if named := slices.ContainsFunc(kept, func(a api.Artifact) bool { return a.Test == e.test && path.Base(a.Path) == e.kept }); err != nil || named != (e.kept != "") {
		t.Errorf("run %d kept %+v (%v), want %q", run.ID, kept, err, e.kept)
	}
}

// leaves wants the tests to be left out of what production runs.
func (e example) leaves(t *testing.T, s *site, production []batuta.ContainerState) {
	t.Helper()
	if e.without == "" {
		return
	}
	for _, ship := range s.ships {
		if ship.Name == production[0].Ship {
			there := onShip(t.Context(), t, ship, "exec", production[0].ID, "sh", "-c", "ls -d "+path.Dir(e.without)+"/*")
			if there == "" || slices.Contains(strings.Fields(there), e.without) {
				t.Errorf("production has %q, and should not have %s", there, e.without)
			}
		}
	}
}

// refused wants a push that breaks a test to come to nothing: the run names the
// case, and QA keeps what it has.
func (e example) refused(t *testing.T, s *site, app batuta.AppName, w *workingCopy) {
	t.Helper()
	if e.failed == "" {
		return
	}
	before := s.web(t, app, "qa", 1, e.qa)
	w.edit(e.breaks[0], e.breaks[1], e.breaks[2])
	run := s.ended(t, s.pushed(t, app, w).ID)
	if run.Status != batuta.RunFailed || run.Release != 0 || !strings.Contains(run.Error+s.log(t, run.ID), e.failed) {
		t.Errorf("the push that breaks a test: %s, release %d: %s", run.Status, run.Release, run.Error)
	}
	if after := s.web(t, app, "qa", 1, e.qa); after[0].ID != before[0].ID {
		t.Error("a push that broke a test changed QA")
	}
}

// newExampleSite serves the app on two ships, with the examples' secrets.
func newExampleSite(t *testing.T, app batuta.AppName) *site {
	t.Helper()
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), "unused", fmt.Sprintf(`  %s:
    secrets: {notes_token: %s, db_password: the-site's-password, db_root_password: the-root's-password}
    environments: {qa: {ships: {role: qa}}, production: {ships: {role: production}}}
`, app, siteToken))
	t.Cleanup(func() {
		s.sweep(t, app)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), runTime)
		defer cancel()
		for _, ship := range s.ships { // after the containers: a volume in use stays
			for name := range strings.FieldsSeq(onShip(ctx, t, ship, "volume", "ls", "--quiet", "--filter", "name="+string(app)+"_")) {
				onShip(ctx, t, ship, "volume", "rm", name)
			}
		}
	})
	s.serve(t)
	return s
}

// promoted promotes the newest release to production.
func (s *site) promoted(t *testing.T, app batuta.AppName) batuta.Run {
	t.Helper()
	run, err := s.client.Deploy(t.Context(), app, "production", promotion())
	if err != nil {
		t.Fatal(err)
	}
	return s.succeeds(t, run.ID)
}

// web wants every instance of the service web to answer with the text.
func (s *site) web(t *testing.T, app batuta.AppName, env batuta.EnvironmentName, instances int, text string) (web []batuta.ContainerState) {
	t.Helper()
	all, healthy := s.environment(t, app, env)
	for _, c := range all {
		if c.Service == "web" {
			web = append(web, c)
		}
	}
	if len(web) != instances || !healthy {
		t.Fatalf("%s has %d instances of web (healthy: %v), want %d: %+v", env, len(web), healthy, instances, all)
	}
	for _, c := range web {
		if body, err := get(t.Context(), c.URLs[0]); err != nil || !strings.Contains(body, text) {
			t.Errorf("%s of %s answers %q (%v), want %q", c.Instance, env, body, err, text)
		}
	}
	return web
}

// adds posts what the application should keep.
func (e example) adds(t *testing.T, url string) {
	t.Helper()
	for path, body := range e.add {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(url, "/")+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+siteToken)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusCreated {
			t.Fatalf("POST %s is answered %s: %s (%v)", path, response.Status, said, err)
		}
	}
}

// hooked wants the migration hook to have run once in the run, and to have
// migrated as often as told.
func (e example) hooked(t *testing.T, s *site, run batuta.Run, migrated int) {
	t.Helper()
	if e.ran == "" {
		return
	}
	var log bytes.Buffer
	for _, step := range run.Steps {
		if err := s.client.Log(t.Context(), run.ID, step.Name, false, &log); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), e.ran); n != 1 {
		t.Errorf("run %d ran the hook %d times, want once:\n%s", run.ID, n, log.String())
	}
	if n := strings.Count(log.String(), e.migrated); n != migrated {
		t.Errorf("run %d migrated %d times, want %d:\n%s", run.ID, n, migrated, log.String())
	}
}
