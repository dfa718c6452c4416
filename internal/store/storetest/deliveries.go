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

// logsWhatIsPushedHere: a change of a ref of the server's own remote is in the
// log once, and can be run again.
func logsWhatIsPushedHere(t *testing.T, l *lab) {
	p := delivered("main", 1).Push()
	p.Forge, p.Delivery = "git", "refs/heads/main@1"
	first, err := l.DeliverRef(t.Context(), p, 1)
	l.must(err)
	if again, err := l.DeliverRef(t.Context(), p, 1); err != nil || again != first {
		t.Errorf("the same change again: run %d, %v", again, err)
	}
	gone := p
	gone.Delivery, gone.Before, gone.Revision = "refs/heads/main@2", p.Revision, ""
	_, err = l.DeliverRef(t.Context(), gone, 2)
	l.must(err)
	all, err := l.Deliveries(t.Context(), "portal", 10)
	if err != nil || len(all) != 2 {
		t.Fatalf("deliveries %+v, %v", all, err)
	}
	want := batuta.Delivery{
		ID: all[1].ID, App: "portal", Forge: "git", Delivery: p.Delivery, Event: "push", Ref: p.Ref, Before: p.Before, After: p.Revision,
		Sender: "ana", Message: p.Message, Received: p.Received, Run: first, Decision: fmt.Sprintf("run %d", first),
	}
	if diff := cmp.Diff(want, all[1]); diff != "" {
		t.Errorf("the push (-want +got):\n%s", diff)
	}
	if d := all[0]; d.Run != 0 || d.After != "" || d.Before != p.Revision || d.Decision != "ignored: refs/heads/main was deleted" {
		t.Errorf("the deletion is kept as %+v", d)
	}
	second, err := l.Redeliver(t.Context(), "portal", all[1].ID, "bob")
	l.must(err)
	if run, err := l.Run(t.Context(), second); err != nil || second == first || run.Push.Revision != p.Revision || run.Push.Ref != p.Ref || run.By != "bob" {
		t.Errorf("redelivered as %+v, %v", run, err)
	}
	if _, err := l.Redeliver(t.Context(), "portal", all[0].ID, "bob"); !errors.Is(err, batuta.Conflict) {
		t.Errorf("a deletion was run: %v", err)
	}
}

// logsImages: of an image that was pushed somewhere follows a run of the
// default branch, once, and again when it is asked for.
func logsImages(t *testing.T, l *lab) {
	d := batuta.Delivery{App: "portal", Forge: "harbor", Delivery: "e-1", Event: "push", Ref: "ghcr.io/acme/base:v2@sha256:abc"}
	first, err := l.Take(t.Context(), d)
	l.must(err)
	if again, err := l.Take(t.Context(), d); err != nil || !again.Duplicate || again.Run != first.Run {
		t.Errorf("the same event again: %+v, %v", again, err)
	}
	all, err := l.Deliveries(t.Context(), "portal", 10)
	if err != nil || len(all) != 2 || all[1].Forge != "harbor" || all[1].Ref != d.Ref {
		t.Fatalf("deliveries %+v, %v", all, err)
	}
	second, err := l.Redeliver(t.Context(), "portal", all[1].ID, "bob")
	l.must(err)
	for _, id := range []batuta.RunID{first.Run, second} {
		run, err := l.Run(t.Context(), id)
		if p := run.Push; err != nil || p.Forge != batuta.ByRegistry || p.Ref != "" || p.Revision != "" || p.Sender != "harbor" || p.Message != d.Ref+" was pushed" {
			t.Errorf("run %d is of %+v, %v", id, p, err)
		}
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
