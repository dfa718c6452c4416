package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"batuta"
)

func remembers(t *testing.T, l *lab) {
	asked := batuta.Run{
		App: "portal", Kind: batuta.RunPromotion, Environment: "production", Release: 7, Approved: "sha256:aa", By: "ana",
		Push: push("portal", "main", 3), Created: time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC),
	}
	id := l.enqueue(asked)
	lease := l.claim(id)
	learnt := asked
	learnt.Push.Revision, learnt.Push.Message, learnt.Environment, learnt.Release = revision(9), "Größer", "qa", 8
	learnt.By, learnt.Push.Sender = "someone", "else" // not for SaveRun to change
	l.must(l.SaveRun(t.Context(), lease, learnt))
	l.must(l.EndRun(t.Context(), lease, batuta.RunFailed, "deploy qa:\nno space"))
	l.restart()

	run := l.run(id)
	want := asked
	want.ID, want.Status, want.Error = id, batuta.RunFailed, "deploy qa:\nno space"
	want.Push.Revision, want.Push.Message, want.Environment, want.Release = revision(9), "Größer", "qa", 8
	want.Started, want.Ended = run.Started, run.Ended
	l.same("run", run, want)
	if run.Started.IsZero() || run.Ended.Before(run.Started) || run.Started.Location() != time.UTC {
		t.Errorf("the run went from %s to %s", run.Started, run.Ended)
	}
	_, err := l.Run(t.Context(), 99)
	l.refused(err, batuta.NotFound, "no run 99")
}

func keepsOrder(t *testing.T, l *lab) {
	id := l.accept(push("portal", "main", 1))
	lease := l.claim(id)
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	save := func(s batuta.Step) {
		t.Helper()
		l.must(l.SaveStep(t.Context(), lease, s))
	}
	source := batuta.Step{Name: "source", Status: batuta.StepRunning, Attempt: 1, Started: at}
	build := batuta.Step{Name: "build web", Status: batuta.StepFailed, Attempt: 1, Started: at, Ended: at.Add(time.Second), Error: "exit code 1"}
	deploy := batuta.Step{Name: "a deploy", Status: batuta.StepRunning, Attempt: 1, Started: at}
	save(source)
	save(build)
	save(deploy)
	build = batuta.Step{Name: "build web", Status: batuta.StepSucceeded, Attempt: 2, Started: at.Add(time.Minute), Output: json.RawMessage(`{"digest": "é"}`)}
	source.Status, source.Ended = batuta.StepSucceeded, at.Add(time.Hour)
	save(build)
	save(source)
	l.refused(l.SaveStep(t.Context(), lease, batuta.Step{Name: "bad", Output: json.RawMessage("{")}), batuta.Invalid, "not JSON")
	l.restart()
	l.same("steps", l.run(id).Steps, []batuta.Step{source, build, deploy})
}

func filters(t *testing.T, l *lab) {
	for i, app := range []batuta.AppName{"shop", "portal", "blog", "portal"} {
		l.accept(push(app, "main", i))
	}
	l.claim(1)
	for _, c := range []struct {
		apps   []batuta.AppName
		status batuta.RunStatus
		limit  int
		want   []batuta.RunID
	}{
		{want: []batuta.RunID{4, 3, 2, 1}},
		{limit: 3, want: []batuta.RunID{4, 3, 2}},
		{apps: []batuta.AppName{"portal"}, want: []batuta.RunID{4, 2}},
		{apps: []batuta.AppName{"portal", "shop", "none"}, limit: 10, want: []batuta.RunID{4, 2, 1}},
		{status: batuta.RunQueued, want: []batuta.RunID{4, 3}},
		{apps: []batuta.AppName{"portal"}, status: batuta.RunSuperseded, want: []batuta.RunID{2}},
		{apps: []batuta.AppName{"none"}},
	} {
		runs, err := l.Runs(t.Context(), c.apps, c.status, c.limit)
		l.must(err)
		var got []batuta.RunID
		for _, r := range runs {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("runs of %v, %q, at most %d: %v, want %v", c.apps, c.status, c.limit, got, c.want)
		}
	}
}

// wakes waits for changes, and makes sure that what changes nothing wakes
// nobody: a worker that looks for work must not be woken by its looking.
func wakes(t *testing.T, l *lab) {
	woken := func(what string, want bool, do func()) {
		t.Helper()
		changed := l.Changed()
		do()
		select {
		case <-changed:
			if !want {
				t.Errorf("%s woke the waiters", what)
			}
		default:
			if want {
				t.Errorf("%s did not wake the waiters", what)
			}
		}
	}
	var id batuta.RunID
	woken("an idle claim", false, l.rest)
	woken("a push", true, func() { id = l.accept(push("portal", "main", 1)) })
	woken("the push again", false, func() { l.accept(push("portal", "main", 1)) })
	lease := l.claim(id)
	woken("a blocked claim", false, l.rest)
	woken("a step", true, func() { l.must(l.SaveStep(t.Context(), lease, batuta.Step{Name: "source"})) })
	other := l.claim(l.accept(push("shop", "main", 2)))
	next := l.claim(l.accept(push("portal", "next", 3)))
	hold := func() {
		if _, _, err := l.HoldEnvironment(t.Context(), lease, "qa"); err != nil {
			t.Error(err)
		}
	}
	woken("holding", true, hold)
	woken("holding again", false, hold)
	woken("asking for what is held", false, func() {
		if _, held, err := l.HoldEnvironment(t.Context(), next, "qa"); err != nil || held {
			t.Errorf("held %t: %v", held, err)
		}
	})
	woken("the end of a run", true, func() { l.end(other, batuta.RunSucceeded) })
	woken("a refused write", false, func() {
		l.refused(l.SaveStep(t.Context(), other, batuta.Step{Name: "late"}), batuta.Conflict, fmt.Sprintf("run %d", other.Run))
	})
}
