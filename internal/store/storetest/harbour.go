package storetest

import (
	"regexp"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/pipeline"
)

func marksShips(t *testing.T, l *lab) {
	l.must(l.MarkShip(t.Context(), "node1", pipeline.Cordoned, "ana", "new disk"))
	l.must(l.MarkShip(t.Context(), "node1", pipeline.Cordoned, "ben", "again"))
	l.must(l.MarkShip(t.Context(), "node1", pipeline.Draining, "ben", "now"))
	l.must(l.MarkShip(t.Context(), "node2", pipeline.Draining, "ben", ""))
	l.must(l.MarkShip(t.Context(), "node2", pipeline.Open, "ana", "done"))
	l.restart()
	ships, err := l.Ships(t.Context())
	l.must(err)
	l.same("node2", ships["node2"], pipeline.ShipRecord{})
	if one := ships["node1"]; one.Mark != pipeline.Draining || one.By != "ben" || one.Why != "now" || one.Marked.IsZero() {
		t.Errorf("node1 is %+v", one)
	}
	l.trail([]batuta.Entry{
		{By: "ana", Action: "ship uncordoned", Object: "node2", Detail: "done"},
		{By: "ben", Action: "ship drained", Object: "node2"},
		{By: "ben", Action: "ship drained", Object: "node1", Detail: "now"},
		{By: "ana", Action: "ship cordoned", Object: "node1", Detail: "new disk"},
	})
}

// lasted is how long something was so, which depends on the machine's load.
var lasted = regexp.MustCompile(`^(it did not answer for|after) (1m)?[0-9]+s`)

// trail compares the audit trail, newest first and without its times.
func (l *lab) trail(want []batuta.Entry) {
	l.t.Helper()
	got, err := l.Entries(l.t.Context(), "", 100)
	l.must(err)
	for i := range got {
		got[i].At = time.Time{}
		got[i].Detail = lasted.ReplaceAllString(got[i].Detail, "$1 a while")
	}
	l.same("the trail", got, want)
}

func hearsShips(t *testing.T, l *lab) {
	hear := func(silent time.Time, why string, news bool) {
		t.Helper()
		changed, err := l.HearShip(t.Context(), "node1", silent, why)
		l.must(err)
		if changed != news {
			t.Errorf("silent since %s: news is %v, want %v", silent, changed, news)
		}
	}
	since := time.Now().Add(-time.Minute).UTC().Truncate(time.Microsecond)
	hear(time.Time{}, "", false)
	hear(since, "no answer for 5s", true)
	hear(time.Now(), "still none", false)
	l.restart()
	ships, err := l.Ships(t.Context())
	l.must(err)
	l.same("node1", ships["node1"], pipeline.ShipRecord{Silent: since, SilentWhy: "no answer for 5s"})
	hear(time.Time{}, "", true)
	ships, err = l.Ships(t.Context())
	l.must(err)
	if back := ships["node1"].Back; back.Before(since) || time.Since(back) > time.Minute {
		t.Errorf("node1 is back since %s", back)
	}
	l.same("node1 again", ships["node1"], pipeline.ShipRecord{Back: ships["node1"].Back})
	l.trail([]batuta.Entry{
		{By: "batuta", Action: "ship back", Object: "node1", Detail: "it did not answer for a while"},
		{By: "batuta", Action: "ship lost", Object: "node1", Detail: "no answer for 5s"},
	})
}

func keepsDrift(t *testing.T, l *lab) {
	save := func(d pipeline.Drift, news bool) pipeline.Drift {
		t.Helper()
		d.App, d.Environment = "portal", "qa"
		changed, err := l.SaveDrift(t.Context(), d)
		l.must(err)
		if changed != news {
			t.Errorf("%+v: news is %v, want %v", d, changed, news)
		}
		all, err := l.Drifts(t.Context(), "portal")
		l.must(err)
		if len(all) == 0 {
			return pipeline.Drift{}
		}
		return all[0]
	}
	save(pipeline.Drift{}, false)
	first := save(pipeline.Drift{Moves: []string{"web-2: from a to c"}}, false)
	if first.Since.IsZero() {
		t.Error("it has no beginning")
	}
	then := save(pipeline.Drift{Drift: []string{"web-1 on a: stopped by hand"}, Run: 7, Tries: 2, Next: first.Since.Add(time.Hour), Why: "no"}, true)
	l.same("the drift", then, pipeline.Drift{
		App: "portal", Environment: "qa", Since: first.Since, Drift: []string{"web-1 on a: stopped by hand"},
		Run: 7, Tries: 2, Next: first.Since.Add(time.Hour), Why: "no",
	})
	save(pipeline.Drift{Drift: []string{"web-2 on a: removed by hand"}}, false)
	l.restart()
	other, err := l.Drifts(t.Context(), "shop")
	l.must(err)
	if len(other) != 0 {
		t.Errorf("shop has %+v", other)
	}
	l.same("nothing", save(pipeline.Drift{}, true), pipeline.Drift{})
	l.trail([]batuta.Entry{
		{By: "batuta", Action: "drift gone", App: "portal", Object: "qa", Detail: "after a while: web-2 on a: removed by hand"},
		{By: "batuta", Action: "drift seen", App: "portal", Object: "qa", Detail: "web-1 on a: stopped by hand"},
	})
}

func knowsWhoIsBusy(t *testing.T, l *lab) {
	busy := func(env batuta.EnvironmentName, want batuta.RunID) {
		t.Helper()
		run, err := l.Busy(t.Context(), "portal", env)
		if want == 0 {
			l.refused(err, batuta.NotFound, "nothing deploys to "+string(env))
		} else if l.must(err); run != want {
			t.Errorf("%s is busy with run %d, want %d", env, run, want)
		}
	}
	busy("qa", 0)
	asked := l.enqueue(batuta.Run{App: "portal", Kind: batuta.RunDeploy, Environment: "qa", By: "batuta", Reason: "drift"})
	busy("qa", asked)
	lease := l.claim(asked)
	if run := l.run(asked); run.Reason != "drift" {
		t.Errorf("the run's reason is %q", run.Reason)
	}
	busy("qa", asked)
	l.end(lease, batuta.RunFailed)
	busy("qa", 0)
	push := l.claim(l.accept(push("portal", "main", 1)))
	busy("production", 0)
	_, _, err := l.HoldEnvironment(t.Context(), push, "production")
	l.must(err)
	busy("production", push.Run)
}

func remembersSightings(t *testing.T, l *lab) {
	web := deployer.Container{ID: "c1", Instance: "web-1", Service: "web", Ship: "a", State: "running"}
	l.must(l.SaveSightings(t.Context(), "portal", "qa", map[batuta.ShipName][]deployer.Container{"a": {web}, "b": {}}))
	l.must(l.SaveSightings(t.Context(), "portal", "qa", map[batuta.ShipName][]deployer.Container{"b": {web}}))
	l.must(l.SaveSightings(t.Context(), "shop", "qa", map[batuta.ShipName][]deployer.Container{"a": nil}))
	l.restart()
	seen, err := l.Sightings(t.Context(), "portal", "qa")
	l.must(err)
	l.same("what was seen", seen, map[batuta.ShipName][]deployer.Container{"a": {web}, "b": {web}})
}
