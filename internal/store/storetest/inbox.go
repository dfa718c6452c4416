package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/internal/gitremote"
)

func acceptsOnce(t *testing.T, l *lab) {
	p := push("portal", "main", 1)
	before := time.Now()
	first, err := l.Accept(t.Context(), p)
	l.must(err)
	again, err := l.Accept(t.Context(), p)
	l.must(err)
	if first.Duplicate || !again.Duplicate || again.Run != first.Run {
		t.Errorf("accepted as %+v, then as %+v", first, again)
	}
	known, err := l.Accepted(t.Context(), p.App, p.Forge, p.Delivery)
	l.must(err)
	l.same("the run of the delivery", known, first.Run)
	_, err = l.Accepted(t.Context(), p.App, p.Forge, "another")
	l.refused(err, batuta.NotFound, "portal accepted no delivery another of "+p.Forge)
	other := p
	other.Forge = "github"
	if r, err := l.Accept(t.Context(), other); err != nil || r.Duplicate {
		t.Errorf("the same id from another forge: %+v, %v", r, err)
	}
	run := l.run(first.Run)
	if run.Created.Before(before.Add(-time.Millisecond)) || run.Created.After(time.Now()) {
		t.Errorf("created at %s, outside the test", run.Created)
	}
	l.same("run", run, batuta.Run{
		ID: first.Run, App: "portal", Kind: batuta.RunPush, Status: batuta.RunSuperseded, Push: p, By: "ana",
		Created: run.Created, Ended: run.Ended, Error: "superseded by run 2",
	})
	p.Delivery = ""
	_, err = l.Accept(t.Context(), p)
	l.refused(err, batuta.Invalid, "without a delivery id")
}

func supersedes(t *testing.T, l *lab) {
	first := l.accept(push("portal", "main", 1))
	lease := l.claim(first)
	second := l.accept(push("portal", "main", 2))
	elsewhere := l.accept(push("portal", "next", 3))
	other := l.accept(push("shop", "main", 4))
	promotion := l.enqueue(batuta.Run{App: "portal", Kind: batuta.RunPromotion, Environment: "production", Release: 1})
	third := l.accept(push("portal", "main", 5))

	for id, want := range map[batuta.RunID]batuta.RunStatus{
		first: batuta.RunRunning, second: batuta.RunSuperseded, elsewhere: batuta.RunQueued,
		other: batuta.RunQueued, promotion: batuta.RunQueued, third: batuta.RunQueued,
	} {
		if got := l.run(id); got.Status != want {
			t.Errorf("run %d is %s, want %s", id, got.Status, want)
		}
	}
	late := l.run(second)
	if late.Error != fmt.Sprintf("superseded by run %d", third) || late.Ended.IsZero() {
		t.Errorf("superseded run says %q, ended %s", late.Error, late.Ended)
	}
	if again, err := l.Accept(t.Context(), push("portal", "main", 2)); err != nil || again.Run != second {
		t.Errorf("the superseded delivery again: %+v, %v", again, err)
	}
	if got := l.run(third).Status; got != batuta.RunQueued {
		t.Errorf("an old delivery made run %d %s", third, got)
	}
	l.end(lease, batuta.RunSucceeded)
	l.claim(other) // it is the turn of an app that was not served yet
	l.claim(elsewhere)
}

// acceptsFromMany has 16 goroutines deliver 50 pushes each, of which each push
// comes from two of them.
func acceptsFromMany(t *testing.T, l *lab) {
	const goroutines, each = 16, 50
	var mu sync.Mutex
	runs, fresh := map[string]batuta.RunID{}, 0
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				p := push("portal", "main", g/2*each+i)
				r, err := l.Accept(t.Context(), p)
				mu.Lock()
				if earlier, ok := runs[p.Delivery]; err != nil || ok && earlier != r.Run {
					t.Errorf("%s is run %d, was run %d: %v", p.Delivery, r.Run, earlier, err)
				}
				runs[p.Delivery] = r.Run
				if !r.Duplicate {
					fresh++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	queued, err := l.Runs(t.Context(), nil, batuta.RunQueued, 1000)
	l.must(err)
	all, err := l.Runs(t.Context(), nil, "", 1000)
	l.must(err)
	if want := goroutines / 2 * each; fresh != want || len(runs) != want || len(all) != want || len(queued) != 1 {
		t.Errorf("%d deliveries were new, %d runs answered, %d runs are kept, %d queued; want %d, and 1 queued", fresh, len(runs), len(all), len(queued), want)
	}
	if len(queued) == 1 && queued[0].ID != all[0].ID {
		t.Errorf("run %d waits, but run %d is the newest", queued[0].ID, all[0].ID)
	}
}

func recordsRefs(t *testing.T, l *lab) {
	deliver := func(p batuta.Push, serial int) batuta.RunID {
		t.Helper()
		id, err := l.DeliverRef(t.Context(), p, serial)
		l.must(err)
		return id
	}
	first, second := push("portal", "main", 1), push("portal", "main", 2)
	gone := batuta.Push{App: "portal", Forge: "git", Delivery: "refs/heads/main@3", Ref: first.Ref, Before: second.Revision}
	one := deliver(first, 1)
	if again := deliver(first, 1); again != one || one == 0 {
		t.Errorf("the same change is run %d, then run %d", one, again)
	}
	two := deliver(second, 2)
	if id := deliver(gone, 3); id != 0 {
		t.Errorf("a deleted ref caused run %d", id)
	}
	if id := deliver(gone, 3); id != 0 {
		t.Errorf("a deleted ref, again, caused run %d", id)
	}
	deliver(push("portal", "next", 4), 1)
	deliver(push("shop", "main", 5), 1)

	_, err := l.DeliverRef(t.Context(), push("portal", "main", 6), 5)
	l.refused(err, batuta.Conflict, "change 5 of refs/heads/main of portal does not follow change 3")
	l.restart()
	refs, err := l.Refs(t.Context(), "portal")
	l.must(err)
	l.same("refs", refs, map[string]gitremote.RefState{
		"refs/heads/main": {Serial: 3},
		"refs/heads/next": {Revision: revision(4), Serial: 1},
	})
	if got := l.run(two); got.Status != batuta.RunQueued || got.Push.Revision != revision(2) {
		t.Errorf("run %d is %s at %s", two, got.Status, got.Push.Revision)
	}
}
