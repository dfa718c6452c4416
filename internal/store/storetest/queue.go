package storetest

import (
	"errors"
	"sync"
	"testing"

	"batuta"
	"batuta/pipeline"
)

func takesTurns(_ *testing.T, l *lab) {
	first := l.accept(push("portal", "main", 1))
	running := l.claim(first)
	second := l.accept(push("portal", "main", 2))
	l.rest()
	other := l.accept(push("shop", "main", 3))
	l.claim(other)
	up := l.enqueue(batuta.Run{App: "portal", Kind: batuta.RunPromotion, Environment: "production", Release: 1})
	back := l.enqueue(batuta.Run{App: "portal", Kind: batuta.RunRollback, Environment: "production", Release: 1})
	qa := l.enqueue(batuta.Run{App: "portal", Kind: batuta.RunDeploy, Environment: "qa", Release: 1})
	promoting := l.claim(up)
	l.claim(qa)
	l.rest()
	l.end(running, batuta.RunFailed)
	l.claim(second)
	l.rest()
	l.end(promoting, batuta.RunSucceeded)
	l.claim(back)
	l.rest()
}

// handsOutOnce has 16 goroutines work off runs of 40 lanes.
func handsOutOnce(t *testing.T, l *lab) {
	const runs = 40
	for i := range runs {
		l.enqueue(batuta.Run{App: batuta.AppName([]string{"portal", "shop"}[i%2]), Kind: batuta.RunPush, Push: push("", string(rune('a'+i/2)), i)})
	}
	var mu sync.Mutex
	claimed := map[batuta.RunID]int{}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				run, lease, err := l.Claim(t.Context())
				if errors.Is(err, batuta.NotFound) {
					return
				}
				if err != nil || lease != (pipeline.Lease{Run: run.ID, Epoch: 1}) {
					t.Errorf("claimed run %d by %+v: %v", run.ID, lease, err)
					return
				}
				mu.Lock()
				claimed[run.ID]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, n := range claimed {
		if n != 1 {
			t.Errorf("run %d was handed out %d times", id, n)
		}
	}
	if len(claimed) != runs {
		t.Errorf("%d runs were handed out, want %d", len(claimed), runs)
	}
}

func resumes(t *testing.T, l *lab) {
	first, second := l.accept(push("portal", "main", 1)), l.accept(push("portal", "next", 2))
	old := l.claim(first)
	l.must(l.SaveStep(t.Context(), old, batuta.Step{Name: "source", Status: batuta.StepRunning, Attempt: 1}))
	if _, held, err := l.HoldEnvironment(t.Context(), old, "qa"); err != nil || !held {
		t.Fatalf("held %t: %v", held, err)
	}
	started := l.run(first).Started
	l.restart()
	waits := l.accept(push("portal", "main", 3))

	lease := l.claim(first)
	if lease.Epoch <= old.Epoch {
		t.Errorf("claim %d follows claim %d", lease.Epoch, old.Epoch)
	}
	run := l.run(first)
	if len(run.Steps) != 1 || run.Steps[0].Status != batuta.StepRunning || !run.Started.Equal(started) {
		t.Errorf("the resumed run is %+v, started %s", run, started)
	}
	if _, held, err := l.HoldEnvironment(t.Context(), lease, "qa"); err != nil || !held {
		t.Errorf("the resumed run holds its environment: %t, %v", held, err)
	}
	l.claim(second)
	l.rest()
	l.end(lease, batuta.RunSucceeded)
	l.claim(waits)
}

func fences(t *testing.T, l *lab) {
	id := l.accept(push("portal", "main", 1))
	old := l.claim(id)
	d := release(t, l, old, 1)
	begun, err := l.BeginDeployment(t.Context(), old, batuta.Deployment{Environment: "qa", Release: d.Number})
	l.must(err)
	l.restart()
	lease := l.claim(id)

	writes := func(lease pipeline.Lease) map[string]error {
		_, _, held := l.HoldEnvironment(t.Context(), lease, "qa")
		_, added := l.AddRelease(t.Context(), lease, batuta.Release{})
		_, began := l.BeginDeployment(t.Context(), lease, batuta.Deployment{Environment: "qa", Release: 1})
		return map[string]error{
			"SaveStep": l.SaveStep(t.Context(), lease, batuta.Step{Name: "source"}), "SaveRun": l.SaveRun(t.Context(), lease, batuta.Run{}),
			"EndRun":          l.EndRun(t.Context(), lease, batuta.RunFailed, ""),
			"EndDeployment":   l.EndDeployment(t.Context(), lease, begun.ID, batuta.Failed, ""),
			"HoldEnvironment": held, "AddRelease": added, "BeginDeployment": began,
		}
	}
	for name, err := range writes(old) {
		t.Log(name)
		l.refused(err, batuta.Conflict, "run 1 was taken over")
	}
	if run := l.run(id); len(run.Steps) != 0 || run.Status != batuta.RunRunning || run.Push.Revision == "" {
		t.Errorf("a late writer changed the run: %+v", run)
	}
	l.end(lease, batuta.RunSucceeded)
	for name, err := range writes(lease) {
		t.Log(name)
		l.refused(err, batuta.Conflict, "run 1 does not run: it is succeeded")
	}
	l.refused(l.EndRun(t.Context(), pipeline.Lease{Run: 99, Epoch: 1}, batuta.RunFailed, ""), batuta.NotFound, "no run 99")
}

func cancels(t *testing.T, l *lab) {
	first, second := l.accept(push("portal", "main", 1)), l.accept(push("shop", "main", 2))
	lease := l.claim(first)
	for id, want := range map[batuta.RunID]bool{first: false, second: true} {
		if queued, err := l.Cancel(t.Context(), id, "ana"); err != nil || queued != want {
			t.Errorf("cancel run %d: %t, %v, want %t", id, queued, err, want)
		}
	}
	run := l.run(second)
	if run.Status != batuta.RunCancelled || run.Error != "cancelled by ana" || run.Ended.IsZero() {
		t.Errorf("the cancelled run is %+v", run)
	}
	if again, err := l.Cancel(t.Context(), second, "ben"); again || err != nil {
		t.Errorf("cancelled again: %t, %v", again, err)
	}
	l.rest()
	l.refused(l.EndRun(t.Context(), lease, batuta.RunQueued, ""), batuta.Invalid, "queued is not an end")
	l.end(lease, batuta.RunCancelled)
	_, err := l.Cancel(t.Context(), 99, "ana")
	l.refused(err, batuta.NotFound, "no run 99")
}

func holds(t *testing.T, l *lab) {
	one := l.claim(l.accept(push("portal", "main", 1)))
	two := l.claim(l.accept(push("portal", "next", 2)))
	shop := l.claim(l.accept(push("shop", "main", 3)))
	hold := func(lease pipeline.Lease, env batuta.EnvironmentName, holder batuta.RunID) {
		t.Helper()
		got, held, err := l.HoldEnvironment(t.Context(), lease, env)
		if err != nil || got != holder || held != (holder == lease.Run) {
			t.Errorf("run %d asks for %s: run %d has it (%t, %v), want run %d", lease.Run, env, got, held, err, holder)
		}
	}
	hold(one, "qa", one.Run)
	hold(one, "qa", one.Run)
	hold(two, "qa", one.Run)
	hold(two, "production", two.Run)
	hold(shop, "qa", shop.Run)
	l.end(one, batuta.RunFailed)
	hold(two, "qa", two.Run)
	l.end(two, batuta.RunSucceeded)
	hold(shop, "qa", shop.Run)
}
