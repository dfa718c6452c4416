package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// floored is a world where server.yml has rules for production, and batuta.yml
// others, with a release in QA.
func floored(t *testing.T, own string, floor batuta.Stage) *works {
	t.Helper()
	w := newWorld(t)
	w.floors = map[batuta.EnvironmentName]batuta.Stage{"production": floor}
	w.edit("batuta.yml", "promote: [qa, production]", "promote: [qa, {to: production"+own+"}]")
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	return s
}

// TestNoRepositoryLoosensTheServersRules asks for promotions that batuta.yml
// would let pass.
func TestNoRepositoryLoosensTheServersRules(t *testing.T) {
	t.Parallel()
	yesterday := time.Now().UTC().AddDate(0, 0, -1)
	frozen := yesterday.Format(time.DateOnly) + ".." + yesterday.AddDate(0, 0, 2).Format(time.DateOnly)
	closed := []string{yesterday.AddDate(0, 0, 2).Format("Mon") + " 00:00-00:01"}
	for name, c := range map[string]struct {
		own   string
		floor batuta.Stage
		want  string
	}{
		"a shorter soak":    {", soak: 1ms", batuta.Stage{Soak: time.Hour}, "to have been live in qa for 1h0m0s"},
		"a longer soak":     {", soak: 2h", batuta.Stage{Soak: time.Hour}, "to have been live in qa for 2h0m0s"},
		"no soak":           {"", batuta.Stage{Soak: time.Hour}, "to have been live in qa for 1h0m0s"},
		"a freeze":          {"", batuta.Stage{Freeze: []string{frozen}}, "production is frozen"},
		"its own freeze":    {`, freeze: ["` + frozen + `"]`, batuta.Stage{Approvals: 1}, "production is frozen"},
		"a window":          {`, windows: ["Mon-Sun 00:00-24:00"]`, batuta.Stage{Windows: closed}, "only at its times"},
		"its own window":    {`, windows: ["` + closed[0] + `"]`, batuta.Stage{Windows: []string{"Mon-Sun 00:00-24:00"}}, "only at its times"},
		"windows that meet": {`, windows: ["Mon-Sun 00:00-24:00 Europe/Berlin"]`, batuta.Stage{Windows: []string{"Mon-Sun 00:00-24:00"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := floored(t, c.own, c.floor)
			id, err := s.asks(t, "ana")
			if c.want != "" {
				refused(t, err, batuta.Conflict, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s.succeeds(t, id)
		})
	}
}

// TestWhoApprovesByBothRules has those approve whom both files name, and as
// many as the one wants that wants more.
func TestWhoApprovesByBothRules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		own     string
		floor   batuta.Stage
		refused string // whose yes does not count
		yes     []string
	}{
		"both lists":          {", approvers: [ana, ben, kim]", batuta.Stage{Approvers: []string{"ben", "eva"}}, "eva", []string{"ben"}},
		"lists that part":     {", approvers: [ana]", batuta.Stage{Approvers: []string{"eva"}}, "ana", []string{"eva"}},
		"the server's":        {"", batuta.Stage{Approvers: []string{"eva"}}, "ana", []string{"eva"}},
		"more approvals":      {", approvals: 1", batuta.Stage{Approvals: 2, Approvers: []string{"ben", "eva"}}, "ana", []string{"eva", "ben"}},
		"more of its own":     {", approvals: 2", batuta.Stage{Approvals: 1, Approvers: []string{"ben", "eva"}}, "ana", []string{"eva", "ben"}},
		"a list for too many": {", approvers: [eva, kim], approvals: 2", batuta.Stage{Approvers: []string{"ben", "eva"}}, "kim", []string{"ben", "eva"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := floored(t, c.own, c.floor)
			id, err := s.asks(t, "dan")
			if err != nil {
				t.Fatal(err)
			}
			refused(t, s.Approve(t.Context(), id, c.refused), batuta.Denied, c.refused+" is not among those who approve")
			for _, by := range c.yes {
				if run, err := s.store.Run(t.Context(), id); err != nil || run.Status != batuta.RunWaiting {
					t.Fatalf("before %s says yes it is %s, %v", by, run.Status, err)
				}
				if err := s.Approve(t.Context(), id, by); err != nil {
					t.Fatal(err)
				}
			}
			s.succeeds(t, id)
		})
	}
}

// TestARerunGoesByTheRulesOfNow has server.yml get rules for where a run that
// failed was to deploy.
func TestARerunGoesByTheRulesOfNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "[qa, production]", "[production, qa]")
	s := w.open(t, nil)
	stop := s.work(t)
	first := s.succeeds(t, s.push(t, "one"))
	stop()
	w.floors = map[batuta.EnvironmentName]batuta.Stage{"production": {Approvals: 2}}
	s = w.start(t)
	again, err := s.Rerun(t.Context(), first.ID, "deploy production", "ana")
	if err != nil {
		t.Fatal(err)
	}
	s.fails(t, again, "nothing goes there that was just built")
}

// TestNothingGetsPastTheServersRules tries the other ways to an environment.
func TestNothingGetsPastTheServersRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.floors = map[batuta.EnvironmentName]batuta.Stage{"production": {Approvals: 2}}
	w.edit("batuta.yml", "[qa, production]", "[production, qa]")
	w.files["environments/preview.yml"] = qaDocument
	s := w.start(t)
	s.fails(t, s.push(t, "one"), "server.yml says by which rules production takes promotions: nothing goes there that was just built")
	if id, err := s.Start(t.Context(), testApp, "two", "preview", "ana"); err != nil {
		t.Fatal(err)
	} else {
		s.succeeds(t, id)
	}
	_, err := s.Order(t.Context(), pipeline.Order{Kind: batuta.RunDeploy, App: testApp, Environment: "production", Release: 1, By: "ana"})
	refused(t, err, batuta.Conflict, "release 1 was never live in production")
	w.edit("batuta.yml", "[production, qa]", "[qa, {to: production, approvers: [eva]}]")
	s.fails(t, s.push(t, "three"), "batuta.yml:5:15: promote.1: 2 approvals of 1 approvers, with what server.yml says of production")
}

// TestTheRulesInForceAreShown has a server tell by which rules it promotes, and
// from which file each is.
func TestTheRulesInForceAreShown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	address := fmt.Sprintf("127.0.0.1:%d", lab.FreePort(t, "127.0.0.1"))
	s := &site{dir: dir, address: address, url: "http://" + address, token: siteToken, file: filepath.Join(dir, "server.yml")}
	text := fmt.Sprintf(`
listen: %s
data: %s
ships: {a: {endpoint: "unix://%s/none.sock"}}
people: {ana: {token: %s, may: admin}, eva: {token: another-token-of-the-test, may: deploy}}
apps:
  shop:
    promote: {production: {soak: 24h, approvers: [eva], windows: ["Mon-Fri 08:00-16:00"]}}
notify: [{name: team, url: "http://127.0.0.1:1/", apps: [shop]}]
runs: {retries: 0}
reconcile: {every: 0}
`, address, filepath.Join(dir, "data"), dir, s.token)
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	running := s.serve(t)
	copied := s.newWorkingCopy(t, "static", "shop")
	copied.edit("batuta.yml", "promote: [qa, production]", "notify: [{to: team}]\npromote: [qa, {to: production, soak: 1h, approvals: 1, freeze: [2020-01-01..2020-01-02]}]")
	copied.push()
	lab.Wait(t, runTime, func() error {
		_, err := running.pipeline.Settled(t.Context(), "shop")
		return err
	})
	var out, errs bytes.Buffer
	p := &program{stdout: &out, stderr: &errs, getenv: func(name string) string {
		return map[string]string{"BATUTA_URL": s.url, "BATUTA_TOKEN": s.token}[name]
	}}
	if code := p.run(t.Context(), []string{"config", "shop"}); code != 0 {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	for _, line := range []string{
		"# production takes a promotion by soak: 24h0m0s (server.yml)\n",
		"# production takes a promotion by approvers: eva (server.yml)\n",
		"# production takes a promotion by approvals: 1 (batuta.yml)\n",
		"# production takes a promotion by windows: Mon-Fri 08:00-16:00 (server.yml)\n",
		"# production takes a promotion by freeze: 2020-01-01..2020-01-02 (batuta.yml)\n",
		"  - to: team\n", "    soak: 1h0m0s\n",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("%q is missing in\n%s", line, &out)
		}
	}
}
