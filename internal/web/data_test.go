package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/pipeline"
)

// hostile is what somebody may write who can push.
const hostile = `</span><script>alert("x")</script><img src=x onerror=alert(1)>`

func revision(c string) batuta.Revision { return batuta.Revision(strings.Repeat(c, 40)) }

func container(app, env, instance, ship, state string, urls ...string) batuta.ContainerState {
	return batuta.ContainerState{
		App: batuta.AppName(app), Environment: batuta.EnvironmentName(env), Service: "web",
		Instance: batuta.InstanceName(instance), Ship: batuta.ShipName(ship), State: state, URLs: urls,
	}
}

// someStatus is several apps, in all conditions.
func someStatus(now time.Time) []pipeline.EnvironmentStatus {
	silent := []batuta.ShipName{"node3"}
	crashed := container("portal", "qa", "worker-1", "node1", "exited")
	crashed.ExitCode = 137
	return []pipeline.EnvironmentStatus{
		{
			App: "docs", Environment: "qa", Reason: "nothing is live", Unreachable: silent,
			Last: &batuta.Deployment{Run: 216, Release: 1, Status: batuta.Applying},
		},
		{
			App: "portal", Environment: "qa", Release: 41, Revision: revision("4"), Since: now.Add(-8 * time.Minute),
			Reason:      "worker-1 on node1: restart: not running: exited 137",
			Last:        &batuta.Deployment{Run: 214, Release: 41, Status: batuta.Live},
			Containers:  []batuta.ContainerState{container("portal", "qa", "web-1", "node1", "running", "http://10.0.0.11:49153"), crashed},
			Unreachable: silent,
			Drift:       &pipeline.Drift{Since: now.Add(-4 * time.Minute), Drift: []string{"worker-1 on node1 was stopped by hand"}},
			Instances: []pipeline.InstanceStatus{
				{Service: "web", Instance: "web-1", Ship: "node1", Ready: true, Release: 41, Started: now.Add(-8 * time.Minute)},
				{Service: "worker", Instance: "worker-1", Ship: "node1", Reason: "not running: exited 137"},
				{Service: "worker", Instance: "worker-2", Ship: "node3", Unknown: true},
			},
		},
		{
			App: "portal", Environment: "production", Release: 40, Revision: revision("c"), Since: now.Add(-50 * time.Hour), Healthy: true,
			Last: &batuta.Deployment{Run: 209, Release: 40, Status: batuta.Live},
			Containers: []batuta.ContainerState{
				container("portal", "production", "web-1", "node1", "running", "http://10.0.0.11:8080"),
				container("portal", "production", "web-2", "node2", "running", "http://10.0.0.12:8080"),
			},
			Unreachable: silent,
		},
		{
			App: "shop", Environment: "qa", Release: 12, Revision: revision("9"), Since: now.Add(-3 * time.Hour), Healthy: true,
			Last:        &batuta.Deployment{Run: 213, Release: 13, Status: batuta.RolledBack},
			Containers:  []batuta.ContainerState{container("shop", "qa", "web-1", "node2", "running", "https://10.0.0.12:49160")},
			Unreachable: silent,
		},
		{
			App: "shop", Environment: "production", Release: 11, Revision: revision("0"), Since: now.Add(-9 * 24 * time.Hour),
			Reason:      "ship node3 does not answer, and web-1 should run there: ship node3: ping: no answer for 5s",
			Last:        &batuta.Deployment{Run: 190, Release: 11, Status: batuta.Live},
			Unreachable: silent,
		},
	}
}

// someShips is one that is open, one that is drained, and one that is lost.
func someShips(now time.Time) []pipeline.ShipStatus {
	runs := []pipeline.Cargo{{App: "portal", Environment: "qa", Instances: 2, Running: 1}, {App: "shop", Environment: "qa", Instances: 1, Running: 1}}
	return []pipeline.ShipStatus{
		{Name: "node1", Reachable: true, Labels: map[string]string{"role": "web"}, Facts: deployer.Facts{Engine: "20.10.24", CPUs: 4, Load: 1.25, DiskFree: 30, DiskSize: 100}, Runs: runs},
		{Name: "node2", Reachable: true, ShipRecord: pipeline.ShipRecord{Mark: pipeline.Draining, Marked: now.Add(-3 * time.Hour), By: "ana", Why: hostile}},
		{Name: "node3", Reason: "no answer for 1s", ShipRecord: pipeline.ShipRecord{Silent: now.Add(-7 * time.Minute)}},
	}
}

// someRuns is the newest first.
func someRuns(now time.Time) []batuta.Run {
	at := func(ago time.Duration) time.Time { return now.Add(-ago) }
	push := func(app, rev, by, message string) batuta.Push {
		return batuta.Push{App: batuta.AppName(app), Forge: "gitea", Ref: "refs/heads/main", Revision: revision(rev), Sender: by, Message: message}
	}
	return []batuta.Run{
		{ID: 217, App: "shop", Kind: batuta.RunPush, Status: batuta.RunQueued, Push: push("shop", "a", "ben", "Cart: keep the amount when signing in"), Created: at(2 * time.Second)},
		{ID: 216, App: "docs", Kind: batuta.RunPush, Status: batuta.RunRunning, Environment: "qa", Release: 1, Push: push("docs", "5", "ana", "First page"), Created: at(14 * time.Second), Started: at(13 * time.Second), Steps: []batuta.Step{
			{Name: "source", Status: batuta.StepSucceeded, Attempt: 1, Started: at(13 * time.Second), Ended: at(12500 * time.Millisecond)},
			{Name: "build web", Status: batuta.StepRunning, Attempt: 2, Started: at(12 * time.Second)},
		}},
		{ID: 215, App: "portal", Kind: batuta.RunPromotion, Status: batuta.RunCancelled, Environment: "production", Release: 41, By: "ana", Push: push("portal", "4", "ana", "Search: umlauts"), Created: at(5 * time.Minute), Started: at(5 * time.Minute), Ended: at(290 * time.Second), Error: "cancelled by ana"},
		{ID: 214, App: "portal", Kind: batuta.RunPush, Status: batuta.RunSucceeded, Environment: "qa", Release: 41, Push: push("portal", "4", "lea", hostile), Created: at(9 * time.Minute), Started: at(9 * time.Minute), Ended: at(8 * time.Minute)},
		{ID: 213, App: "shop", Kind: batuta.RunPush, Status: batuta.RunFailed, Environment: "qa", Release: 13, Push: push("shop", "e", "ben", "Pay by invoice"), Created: at(40 * time.Minute), Started: at(40 * time.Minute), Ended: at(39 * time.Minute),
			Error: "deploy release 13 to qa: replace web-1 on node2: http :8080/up: 503 Service Unavailable for 1m0s\nthe last it printed:\n  Error: connect ECONNREFUSED 10.0.0.5:5432 (rolled back)"},
		{ID: 212, App: "portal", Kind: batuta.RunPush, Status: batuta.RunSuperseded, Push: push("portal", "d", "lea", "wip"), Created: at(70 * time.Minute), Ended: at(69 * time.Minute), Error: "superseded by run 214"},
		{ID: 211, App: "shop", Kind: batuta.RunRollback, Status: batuta.RunSucceeded, Environment: "production", Release: 11, By: "ben", Push: push("shop", "0", "ben", "Prices with taxes"), Created: at(9 * 24 * time.Hour), Started: at(9 * 24 * time.Hour), Ended: at(9*24*time.Hour - 2100*time.Millisecond)},
	}
}

// someDeliveries is the newest first.
func someDeliveries(now time.Time) []batuta.Delivery {
	return []batuta.Delivery{
		{ID: 9, App: "shop", Forge: "gitea", Event: "push", Ref: "refs/heads/main", After: revision("a"), Sender: "ben", Message: hostile, Received: now.Add(-2 * time.Second), Run: 217, Decision: "run 217"},
		{ID: 8, App: "shop", Forge: "distribution", Event: "push", Ref: "docker.io/library/redis:7", Sender: hostile, Received: now.Add(-7 * time.Minute), Decision: "ignored: docker.io/library/redis:7 not in on.registry"},
		{ID: 7, App: "portal", Forge: "git", Event: "push", Ref: "refs/heads/dev", Received: now.Add(-time.Hour), Run: 214, Decision: "ignored: branch dev is not among on.push.branches (main)"},
	}
}

// writeLog writes the logs of runs 213 and 216 as steps would.
func writeLog(t *testing.T, logs *pipeline.FileLogs) {
	t.Helper()
	for _, s := range []struct {
		run        batuta.RunID
		step, text string
	}{
		{213, "source", fmt.Sprintf("%s Pay by invoice\n", revision("e"))},
		{213, "build web", "#1 load build definition from Dockerfile\n#1 transferring dockerfile: 312B done\n\x1b[34m#5 [2/3] COPY . .\x1b[0m\n#6 [3/3] RUN npm test\n#6 1.204 " + hostile + "\n"},
		{213, "release", "release 13\n"},
		{213, "deploy qa", "web-1 on node2: replace: image 9b1c44de01aa → 3f2a90cc12bb\nweb-1 on node2: started\n"},
		{216, "build web", "#1 load build definition from Dockerfile\n"},
	} {
		w, err := logs.Append(s.run, s.step)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(s.text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
