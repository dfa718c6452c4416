package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"batuta"
)

// delivered is a delivery of a push of a branch.
func delivered(branch string, n int) batuta.Delivery {
	return batuta.Delivery{
		App: "portal", Forge: "gitea", Delivery: fmt.Sprintf("d-%d", n), Event: "push", Ref: "refs/heads/" + branch,
		Before: batuta.Revision(fmt.Sprintf("%040x", n)), After: batuta.Revision(fmt.Sprintf("%040x", n+1)), Clone: "https://git.example.edu/portal.git",
		Sender: "ana", Message: "A search box", Paths: []string{"a", "b/c"}, Source: "192.0.2.7:4711", Received: time.UnixMicro(1_700_000_000_000_000).UTC(),
		Payload: `{"ref":"it"}`,
	}
}

// listsDeliveries: what was delivered is listed with what was decided, and can
// be run again.
func listsDeliveries(t *testing.T, l *lab) {
	d := delivered("main", 1)
	d.Pull = &batuta.PullRequest{Number: 7, Source: "topic", Target: "main"}
	first, err := l.Take(t.Context(), d)
	l.must(err)
	again, err := l.Take(t.Context(), d)
	l.must(err)
	ping := batuta.Delivery{App: "portal", Forge: "github", Delivery: "p-1", Event: "ping", Decision: "ignored: ping: the webhook works"}
	none, err := l.Take(t.Context(), ping)
	l.must(err)
	if first.Run == 0 || first.Duplicate || again.Run != first.Run || !again.Duplicate || none.Run != 0 {
		t.Fatalf("took %+v, %+v, %+v", first, again, none)
	}
	got, err := l.Deliveries(t.Context(), "portal", 10)
	l.must(err)
	want := []batuta.Delivery{ping, d, d}
	for i := range want {
		want[i].ID, want[i].Payload = got[i].ID, ""
	}
	want[1].Run, want[1].Decision = first.Run, fmt.Sprintf("duplicate of run %d", first.Run)
	want[2].Run, want[2].Decision = first.Run, fmt.Sprintf("run %d", first.Run)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(batuta.Delivery{}, "Received")); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	whole, err := l.Delivery(t.Context(), "portal", got[2].ID)
	if err != nil || whole.Payload != d.Payload || !whole.Received.Equal(d.Received) {
		t.Errorf("delivery %+v, %v", whole, err)
	}
	if _, err := l.Delivery(t.Context(), "blog", got[2].ID); !errors.Is(err, batuta.NotFound) {
		t.Errorf("another app's delivery: %v", err)
	}
	run, err := l.Run(t.Context(), first.Run)
	if err != nil || run.Push.Pull == nil || *run.Push.Pull != *d.Pull {
		t.Errorf("the run's pull request: %+v, %v", run.Push.Pull, err)
	}
}

// redelivers: a redelivery is a run of its own, with its line in the audit
// trail; what no run followed from cannot be run.
func redelivers(t *testing.T, l *lab) {
	first, err := l.Take(t.Context(), delivered("main", 1))
	l.must(err)
	_, err = l.Take(t.Context(), batuta.Delivery{App: "portal", Forge: "github", Delivery: "p-1", Event: "ping", Decision: "ignored: ping"})
	l.must(err)
	all, err := l.Deliveries(t.Context(), "portal", 10)
	l.must(err)
	if _, err := l.Redeliver(t.Context(), "portal", all[0].ID, "ana"); !errors.Is(err, batuta.Conflict) {
		t.Errorf("a ping was run: %v", err)
	}
	second, err := l.Redeliver(t.Context(), "portal", all[1].ID, "bob")
	l.must(err)
	run, err := l.Run(t.Context(), second)
	if err != nil || second == first.Run || run.By != "bob" || run.Push.Revision != all[1].After || run.Push.Sender != "ana" {
		t.Errorf("redelivered as %+v, %v", run, err)
	}
	entries, err := l.Entries(t.Context(), "portal", 10)
	if err != nil || len(entries) != 1 || entries[0].By != "bob" || entries[0].Action != "redelivery asked" {
		t.Errorf("audit trail %+v, %v", entries, err)
	}
	all, err = l.Deliveries(t.Context(), "portal", 10)
	if err != nil || len(all) != 3 || all[0].Source != "bob" || all[0].Run != second {
		t.Errorf("deliveries %+v, %v", all, err)
	}
}

// saysWhySkipped: a delivery whose run was skipped says why.
func saysWhySkipped(t *testing.T, l *lab) {
	_, err := l.Take(t.Context(), delivered("dev", 1))
	l.must(err)
	_, lease, err := l.Claim(t.Context())
	l.must(err)
	const why = "branch dev is not among on.push.branches (main)"
	l.must(l.EndRun(t.Context(), lease, batuta.RunSkipped, why))
	all, err := l.Deliveries(t.Context(), "portal", 10)
	if err != nil || len(all) != 1 || all[0].Decision != "ignored: "+why || all[0].Run != lease.Run {
		t.Errorf("deliveries %+v, %v", all, err)
	}
}

// forgetsOldDeliveries: what is old is gone from the log, and is still a
// duplicate when it comes again.
func forgetsOldDeliveries(t *testing.T, l *lab) {
	old, young := delivered("main", 1), delivered("main", 2)
	young.Received = old.Received.Add(time.Hour)
	for _, d := range []batuta.Delivery{old, young} {
		_, err := l.Take(t.Context(), d)
		l.must(err)
	}
	gone, err := l.ForgetDeliveries(t.Context(), young.Received)
	if err != nil || gone != 1 {
		t.Errorf("forgot %d, %v", gone, err)
	}
	all, err := l.Deliveries(t.Context(), "portal", 10)
	if err != nil || len(all) != 1 || all[0].Delivery != young.Delivery {
		t.Errorf("deliveries %+v, %v", all, err)
	}
	if r, err := l.Take(t.Context(), old); err != nil || !r.Duplicate {
		t.Errorf("an old delivery again: %+v, %v", r, err)
	}
}
