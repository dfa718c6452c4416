package storetest

import (
	"testing"
	"time"

	"batuta"
	"batuta/internal/gitremote"
	"batuta/pipeline"
)

// agenda is what starts an app's runs, with this schedule.
func agenda(schedule string, way pipeline.Concurrency) pipeline.Agenda {
	return pipeline.Agenda{Concurrency: way, On: pipeline.Triggers{
		Push: pipeline.PushTrigger{Branches: []string{"main"}}, Poll: time.Minute,
		Cron: []pipeline.CronTrigger{{Schedule: schedule, Zone: "UTC", Missed: pipeline.MissedOnce}},
	}}
}

func keepsAgendas(t *testing.T, l *lab) {
	save := func(n int, ref string, rank int, schedule string) {
		t.Helper()
		lease := l.claim(l.accept(push("portal", ref, n)))
		l.must(l.SaveAgenda(t.Context(), lease, rank, agenda(schedule, pipeline.QueueAll)))
		l.must(l.EndRun(t.Context(), lease, batuta.RunSucceeded, ""))
	}
	want := func(schedule string) {
		t.Helper()
		all, err := l.Agendas(t.Context())
		l.must(err)
		l.same("agendas", all, map[batuta.AppName]pipeline.Agenda{"portal": agenda(schedule, pipeline.QueueAll)})
	}
	save(1, "release", 1, "@daily")
	want("@daily")
	save(2, "main", 0, "@hourly")
	want("@hourly")
	save(3, "release", 1, "@weekly") // main speaks for the app
	want("@hourly")
	save(4, "main", 0, "@monthly")
	l.restart()
	want("@monthly")
}

func followsSchedules(t *testing.T, l *lab) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	l.must(l.Follow(t.Context(), "portal", "@daily", at))
	l.must(l.Follow(t.Context(), "portal", "@daily", at.Add(time.Hour)))
	l.must(l.Follow(t.Context(), "shop", "@daily", at))
	l.restart()
	marks, err := l.Followed(t.Context(), "portal")
	l.must(err)
	l.same("marks", marks, map[string]time.Time{"@daily": at.Add(time.Hour)})
}

func recordsRefsWithoutRuns(t *testing.T, l *lab) {
	l.must(l.RecordRefs(t.Context(), "portal", map[string]batuta.Revision{"refs/heads/main": revision(1), "refs/tags/v1": revision(1)}))
	if _, err := l.DeliverRef(t.Context(), push("portal", "main", 2), 2); err != nil {
		t.Fatal(err)
	}
	l.must(l.RecordRefs(t.Context(), "portal", map[string]batuta.Revision{"refs/tags/v1": ""}))
	refs, err := l.Refs(t.Context(), "portal")
	l.must(err)
	l.same("refs", refs, map[string]gitremote.RefState{"refs/heads/main": {Revision: revision(2), Serial: 2}, "refs/tags/v1": {Serial: 2}})
}

func knowsHowFarARefCame(t *testing.T, l *lab) {
	reached := func(succeeded, newest batuta.Revision) {
		t.Helper()
		s, n, err := l.Reached(t.Context(), "portal", "refs/heads/main")
		l.must(err)
		if s != succeeded || n != newest {
			t.Errorf("reached %s, newest %s; want %s and %s", s, n, succeeded, newest)
		}
	}
	reached("", "")
	first := l.accept(push("portal", "main", 1))
	reached("", revision(1))
	lease := l.claim(first)
	l.must(l.EndRun(t.Context(), lease, batuta.RunSucceeded, ""))
	l.accept(push("portal", "other", 2))
	second := l.accept(push("portal", "main", 3))
	third := l.accept(push("portal", "main", 4))
	reached(revision(1), revision(4))
	for id, want := range map[batuta.RunID]bool{first: false, second: false, third: true} {
		if got, err := l.Replaces(t.Context(), id); err != nil || got != want {
			t.Errorf("run %d superseded others: %v, %v; want %v", id, got, err, want)
		}
	}
}

func cancelsOlder(t *testing.T, l *lab) {
	first := l.accept(push("portal", "main", 1))
	lease := l.claim(first)
	l.must(l.SaveAgenda(t.Context(), lease, 0, agenda("@daily", pipeline.CancelOlder)))
	if asked, err := l.ToCancel(t.Context()); err != nil || len(asked) > 0 {
		t.Fatalf("to be cancelled: %v, %v", asked, err)
	}
	l.accept(push("portal", "other", 2))
	third := l.accept(push("portal", "main", 3))
	asked, err := l.ToCancel(t.Context())
	l.must(err)
	l.same("to be cancelled", asked, map[batuta.RunID]string{first: "run 3"})
	if third != 3 {
		t.Errorf("the newer is run %d", third)
	}
	l.must(l.EndRun(t.Context(), lease, batuta.RunCancelled, "cancelled by run 3"))
	if asked, err := l.ToCancel(t.Context()); err != nil || len(asked) > 0 {
		t.Errorf("to be cancelled, after it was: %v, %v", asked, err)
	}
}
