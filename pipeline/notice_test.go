package pipeline_test

import (
	"testing"

	"batuta"
	"batuta/pipeline"
)

// TestWhatIsToldOfARun names the news of a run in each of its statuses.
func TestWhatIsToldOfARun(t *testing.T) {
	t.Parallel()
	run := batuta.Run{ID: 7, App: "portal", Kind: batuta.RunPush, Error: "why", Push: batuta.Push{Ref: "refs/heads/main", Revision: "6dcb09b"}}
	for _, c := range []struct {
		status    batuta.RunStatus
		env       batuta.EnvironmentName
		before    batuta.RunStatus
		kind      pipeline.NoticeKind
		text      string
		recovered bool
	}{
		{batuta.RunQueued, "", "", pipeline.RunQueued, "waiting for its turn", false},
		{batuta.RunRunning, "", "", pipeline.RunStarted, "running", false},
		{batuta.RunFailed, "qa", batuta.RunFailed, pipeline.RunFailed, "why", false},
		{batuta.RunSkipped, "", "", pipeline.RunSkipped, "why", false},
		{batuta.RunCancelled, "", "", pipeline.RunCancelled, "why", false},
		{batuta.RunSuperseded, "", "", pipeline.RunSuperseded, "why", false},
		{batuta.RunSucceeded, "qa", batuta.RunSucceeded, pipeline.WentLive, "release 3 is live in qa", false},
		{batuta.RunSucceeded, "qa", batuta.RunFailed, pipeline.WentLive, "release 3 is live in qa", true},
		{batuta.RunSucceeded, "", batuta.RunFailed, pipeline.RunPassed, "built and tested", true},
		{batuta.RunSucceeded, "", batuta.RunSucceeded, pipeline.RunPassed, "built and tested", false},
	} {
		run.Status, run.Environment, run.Release = c.status, c.env, 3
		n, ok := pipeline.NoticeOfRun(run, c.before)
		if !ok || n.Kind != c.kind || n.Text != c.text || n.Recovered != c.recovered || n.Revision != run.Push.Revision || n.Run != 7 {
			t.Errorf("of a run that is %s people are told %+v (%v)", c.status, n, ok)
		}
		if want := string(c.kind) + ": run 7"; n.Key() != want {
			t.Errorf("its key is %q, want %q", n.Key(), want)
		}
	}
	run.By = "batuta: drift"
	if n, ok := pipeline.NoticeOfRun(run, ""); ok {
		t.Errorf("of a run that nobody asked for people are told %+v", n)
	}
}
