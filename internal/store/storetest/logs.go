package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"batuta"
)

// listsOldLogs: a run that goes on, or that never began, has no old log; one
// that is deleted is not listed again, and its run says when it was.
func listsOldLogs(t *testing.T, l *lab) {
	first := l.claim(l.accept(push("portal", "main", 1)))
	l.end(first, batuta.RunSucceeded)
	second := l.claim(l.accept(push("portal", "main", 2)))
	l.end(second, batuta.RunFailed)
	l.claim(l.accept(push("portal", "main", 3)))
	_, err := l.Cancel(t.Context(), l.accept(push("portal", "main", 4)), "ana")
	l.must(err)
	l.restart()

	old := func(before time.Time, limit int, want ...batuta.RunID) {
		t.Helper()
		runs, err := l.OldLogs(t.Context(), before, limit)
		l.must(err)
		l.same("the old logs", runs, want)
	}
	later := time.Now().Add(time.Hour)
	old(l.run(first.Run).Ended, 10)
	old(later, 10, first.Run, second.Run)
	old(later, 1, first.Run)

	at := time.Date(2026, 6, 7, 8, 9, 10, 11000, time.UTC)
	l.must(l.LogsDeleted(t.Context(), []batuta.RunID{first.Run, 3}, at))
	l.restart()
	old(later, 10, second.Run)
	l.same("when the log was deleted", l.run(first.Run).LogDeleted, at)
	l.same("the log of a run that goes on", l.run(3).LogDeleted, time.Time{})
}

// knowsNewest: of the runs of an app the newest that brought the step to its
// end, whatever became of the run.
func knowsNewest(t *testing.T, l *lab) {
	did := func(app batuta.AppName, n int, status batuta.StepStatus, output string) batuta.RunID {
		t.Helper()
		lease := l.claim(l.accept(push(app, "main", n)))
		for _, s := range []batuta.Step{
			{Name: "source", Status: batuta.StepSucceeded, Attempt: 1, Started: time.UnixMicro(1).UTC(), Output: json.RawMessage(`"tree"`)},
			{Name: "read", Status: status, Attempt: 2, Started: time.UnixMicro(2).UTC(), Output: json.RawMessage(output)},
		} {
			l.must(l.SaveStep(t.Context(), lease, s))
		}
		l.end(lease, batuta.RunFailed)
		return lease.Run
	}
	_, err := l.Newest(t.Context(), "portal", "read")
	l.refused(err, batuta.NotFound, "no run of portal did read yet")
	did("portal", 1, batuta.StepSucceeded, `"old"`)
	want := did("portal", 2, batuta.StepSucceeded, `"new"`)
	did("portal", 3, batuta.StepFailed, `"wrong"`)
	did("shop", 4, batuta.StepSucceeded, `"another's"`)
	l.restart()

	run, err := l.Newest(t.Context(), "portal", "read")
	l.must(err)
	l.same("the run", run.ID, want)
	l.same("its steps", run.Steps, []batuta.Step{
		{Name: "read", Status: batuta.StepSucceeded, Attempt: 2, Started: time.UnixMicro(2).UTC(), Output: json.RawMessage(`"new"`)},
	})
	_, err = l.Newest(t.Context(), "portal", "release")
	l.refused(err, batuta.NotFound, "no run of portal did release yet")
}
