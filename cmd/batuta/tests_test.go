package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/lab"
)

// TestTestsOfAPush pushes an app whose tests run on a real ship: two at the
// same time, one beside a service that takes three seconds to be ready, and
// then one of which a case fails.
func TestTestsOfAPush(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("clock-tested")
	lab.Bases(t, lab.Node)
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), app, "")
	s.serve(t)
	w := s.newWorkingCopy(t, "node", app)
	w.edit("batuta.yml", "on: {push", `test:
- name: slow-service
  run: 'node -e "fetch(''http://db:8080'').then(r => process.exit(r.ok ? 0 : 1))"'
  services:
    db: {image: web, command: 'sleep 3; exec node -e "require(''http'').createServer((q, r) => r.end()).listen(8080)"', ready: {tcp: 8080, timeout: 30s}}
  user: "0"
- name: report
  user: "0"
  dir: /tmp
  run: |
    mkdir out && echo kept > out/file.txt && sleep 3
    echo '<testsuite name="cart"><testcase name="vouchers"/></testsuite>' > junit.xml
  artifacts: [out]
  junit: [junit.xml]
on: {push`)
	run := s.succeeds(t, s.pushed(t, app, w).ID)
	var tests []batuta.Step
	for _, step := range run.Steps {
		if strings.HasPrefix(step.Name, "test ") {
			tests = append(tests, step)
		}
	}
	if len(tests) != 2 || tests[0].Ended.Before(tests[1].Started) || tests[1].Ended.Before(tests[0].Started) {
		t.Errorf("the tests did not run at the same time: %+v", tests)
	}

	dir := filepath.Join(t.TempDir(), "here")
	env := map[string]string{"BATUTA_URL": s.url, "BATUTA_TOKEN": s.token}
	if code, out, errs := call(t, env, "artifacts", "1"); code != 0 || !strings.Contains(out, "report/out/file.txt") {
		t.Errorf("the list: %d: %s%s", code, out, errs)
	}
	if code, _, errs := call(t, env, "artifacts", "1", "report", "-o", dir); code != 0 {
		t.Errorf("bring: %d: %s", code, errs)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "report/out/file.txt")); string(text) != "kept\n" {
		t.Errorf("the artifact is %q, %v", text, err)
	}

	w.edit("batuta.yml", `<testcase name="vouchers"/></testsuite>' > junit.xml`, `<testcase name="vouchers"><failure message="100 is not 90"/></testcase></testsuite>' > junit.xml; exit 1`)
	failed := s.ended(t, s.pushed(t, app, w).ID)
	if failed.Status != batuta.RunFailed || failed.Release != 0 || !strings.Contains(failed.Error, "cart: vouchers: 100 is not 90") {
		t.Errorf("the run whose test fails is %s with release %d: %s", failed.Status, failed.Release, failed.Error)
	}
	for kind, list := range map[string][]string{"container": {"container", "ls", "--all"}, "network": {"network", "ls"}} {
		args := append(list, "--quiet", "--filter", "label=batuta.run", "--filter", "label=batuta.server="+hostname(t)+":"+filepath.Join(s.dir, "data"))
		if left := onShip(t.Context(), t, s.ships[0], args...); left != "" {
			t.Errorf("a test left a %s: %s", kind, left)
		}
	}
}

func hostname(t *testing.T) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}
