package storetest

import (
	"slices"
	"testing"

	"batuta"
)

func countsApprovals(t *testing.T, l *lab) {
	id := l.enqueue(batuta.Run{App: "portal", Kind: batuta.RunPromotion, Status: batuta.RunWaiting, Environment: "production", Release: 1, Approved: "hash", By: "ana"})
	other := l.enqueue(batuta.Run{App: "portal", Kind: batuta.RunPromotion, Status: batuta.RunWaiting, Environment: "staging", Release: 1, Approved: "hash", By: "ana"})
	if _, _, err := l.Claim(t.Context()); err == nil {
		t.Fatal("a run that waits was handed out")
	}
	two := func(people []string) bool { // of whom leo may not approve any more
		return len(slices.DeleteFunc(slices.Clone(people), func(p string) bool { return p == "leo" })) >= 2
	}
	say := func(by string, want bool) {
		t.Helper()
		queued, err := l.Approve(t.Context(), id, by, two)
		l.must(err)
		if queued != want {
			t.Errorf("after %s said yes it is queued: %v", by, queued)
		}
	}
	say("ana", false)
	say("ana", false)
	say("leo", false)
	l.restart()
	waiting, err := l.Waiting(t.Context(), "portal", "production")
	l.must(err)
	if len(waiting) != 1 || waiting[0].ID != id {
		t.Errorf("waiting are %+v", waiting)
	}
	say("ben", true)
	if run := l.run(id); run.Status != batuta.RunQueued || len(run.Approvals) != 3 || run.Approvals[0] != "ana" {
		t.Errorf("run %d is %s, approved by %v", id, run.Status, run.Approvals)
	}
	_, err = l.Approve(t.Context(), id, "eva", two)
	l.refused(err, batuta.Conflict, "waits for nobody")
	if cancelled, err := l.Cancel(t.Context(), other, "ana"); err != nil || !cancelled {
		t.Errorf("one that waits is cancelled: %v, %v", cancelled, err)
	}
	entries, err := l.Entries(t.Context(), "portal", 0)
	l.must(err)
	yes := 0
	for _, e := range entries {
		if e.Action == "plan approved" {
			yes++
		}
	}
	if yes != 3 {
		t.Errorf("%d approvals are in the audit trail", yes)
	}
}
