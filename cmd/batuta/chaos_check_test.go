package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/lab"
	"batuta/internal/store"
)

// ledger is all that a server has in its database.
type ledger struct {
	runs        []batuta.Run
	releases    []batuta.Release
	deployments []batuta.Deployment // the newest first
	deliveries  []batuta.Delivery
}

// everything is more rows than a test makes.
const everything = 1_000_000

// read reads the database of a server that has ended.
func (c *chaos) read(t *testing.T) (l ledger) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(c.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if l.runs, err = db.Runs(t.Context(), nil, "", everything); err != nil {
		t.Fatal(err)
	}
	for _, app := range []batuta.AppName{c.remote.app, c.forge.app} {
		releases, err := db.Releases(t.Context(), app, everything)
		if err != nil {
			t.Fatal(err)
		}
		deployments, err := db.Deployments(t.Context(), app, "", everything)
		if err != nil {
			t.Fatal(err)
		}
		deliveries, err := db.Deliveries(t.Context(), app, everything)
		if err != nil {
			t.Fatal(err)
		}
		l.releases, l.deployments = append(l.releases, releases...), append(l.deployments, deployments...)
		l.deliveries = append(l.deliveries, deliveries...)
	}
	if _, err := db.VerifyAudit(t.Context()); err != nil {
		t.Errorf("the audit trail: %v", err)
	}
	return l
}

// acceptedOnce checks that all that was accepted has one run, which says how
// it ended.
func (l ledger) acceptedOnce(t *testing.T, c *chaos) {
	t.Helper()
	byID, byDelivery, byRevision, statuses := map[batuta.RunID]batuta.Run{}, map[string]int{}, map[batuta.Revision]int{}, map[batuta.RunStatus]int{}
	for _, run := range l.runs {
		statuses[run.Status]++
		byID[run.ID] = run
		switch {
		case run.Kind != batuta.RunPush:
		case run.App == c.forge.app:
			byDelivery[run.Push.Delivery]++
		default:
			byRevision[run.Push.Revision]++
		}
		if !run.Status.Ended() || run.Status != batuta.RunSucceeded && run.Error == "" {
			t.Errorf("run %d of %s is %s: %q", run.ID, run.App, run.Status, run.Error)
		}
	}
	for delivery, id := range c.forge.accepted {
		if byDelivery[delivery] != 1 || byID[id].Push.Delivery != delivery {
			t.Errorf("the delivery %s was accepted as run %d, which is of %q, and has %d runs", delivery, id, byID[id].Push.Delivery, byDelivery[delivery])
		}
	}
	for _, revision := range c.remote.accepted {
		if byRevision[revision] != 1 {
			t.Errorf("the push of %s was accepted and has %d runs", revision.Short(), byRevision[revision])
		}
	}
	for _, id := range c.orderer.accepted {
		if byID[id].Kind != batuta.RunPromotion {
			t.Errorf("the promotion %d was accepted and is %+v", id, byID[id])
		}
	}
	if statuses[batuta.RunSucceeded] == 0 {
		t.Error("no run succeeded")
	}
	t.Logf("%d deliveries (answers: %v), %d pushes and %d promotions accepted; runs: %v", len(c.forge.accepted), c.forge.statuses, len(c.remote.accepted), len(c.orderer.accepted), statuses)
	t.Logf("promotions refused: %v", c.orderer.refused)
	l.whyNot(t)
}

// whyNot logs why runs failed.
func (l ledger) whyNot(t *testing.T) {
	t.Helper()
	for _, run := range l.runs {
		if run.Status == batuta.RunFailed {
			t.Logf("run %d of %s: %s", run.ID, run.App, run.Error)
		}
	}
}

// nothingTwice checks that no delivery has two runs, no run two releases or
// two deployments, and that each delivery says what was decided.
func (l ledger) nothingTwice(t *testing.T) {
	t.Helper()
	seen := map[string]int{}
	for _, run := range l.runs {
		if run.Kind == batuta.RunPush {
			seen[fmt.Sprintf("runs of the delivery %s to %s", run.Push.Delivery, run.App)]++
		}
	}
	for _, r := range l.releases {
		seen[fmt.Sprintf("releases of run %d", r.Run)]++
	}
	for _, d := range l.deployments {
		seen[fmt.Sprintf("deployments of run %d", d.Run)]++
		if d.Status == batuta.Applying || d.Status != batuta.Live && d.Error == "" {
			t.Errorf("deployment %d of run %d to %s is %s: %q", d.ID, d.Run, d.Environment, d.Status, d.Error)
		}
	}
	for what, n := range seen {
		if n > 1 {
			t.Errorf("there are %d %s", n, what)
		}
	}
	for _, d := range l.deliveries {
		if d.Decision == "" {
			t.Errorf("the delivery %s does not say what was decided", d.Delivery)
		}
	}
}

// ended is nil when every run has ended.
func (c *chaos) ended(ctx context.Context) error {
	for _, status := range []batuta.RunStatus{batuta.RunWaiting, batuta.RunQueued, batuta.RunRunning} {
		runs, err := c.client.Runs(ctx, "", status, 1)
		if err != nil {
			return err
		}
		if len(runs) > 0 {
			return fmt.Errorf("run %d of %s is %s", runs[0].ID, runs[0].App, runs[0].Status)
		}
	}
	return nil
}

// last is the release that an environment is to run, and whether its last
// deployment is live; nil if nothing was ever deployed there.
func (c *chaos) last(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (*batuta.Release, bool, error) {
	deployments, err := c.client.Deployments(ctx, app, env, 500)
	live := slices.IndexFunc(deployments, func(d batuta.Deployment) bool { return d.Status == batuta.Live })
	if err != nil || live < 0 {
		return nil, false, err
	}
	releases, err := c.client.Releases(ctx, app, 500)
	number := deployments[live].Release
	at := slices.IndexFunc(releases, func(r batuta.Release) bool { return r.Number == number })
	if err == nil && at < 0 {
		err = fmt.Errorf("%s of %s runs release %d, which there is not", env, app, number)
	}
	if err != nil {
		return nil, false, err
	}
	return &releases[at], live == 0, nil
}

// runsItsLast compares what an app's environment has on its ship, as Docker
// knows it, with what was deployed there last: one container of that release
// that runs, in its network, and nothing beside. Where the last deployment
// failed, its lease and its note may be there still.
func (c *chaos) runsItsLast(ctx context.Context, ship lab.Ship, app batuta.AppName, env batuta.EnvironmentName) error {
	release, whole, err := c.last(ctx, app, env)
	if err != nil {
		return err
	}
	has := map[string][]string{}
	for kind, format := range map[string]string{
		"container": `{{.State}} {{.Label "batuta.image"}}`, "network": "{{.Name}}", "volume": `{{.Label "batuta.role"}}`,
	} {
		args := []string{"--host", ship.Endpoint, kind, "ls", "--format", format, "--filter", "label=batuta.app=" + string(app), "--filter", "label=batuta.environment=" + string(env)}
		if kind == "container" {
			args = append(args, "--all")
		}
		out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, out)
		}
		if text := strings.TrimSpace(string(out)); text != "" {
			has[kind] = strings.Split(text, "\n")
		}
	}
	want := []string{}
	if release != nil {
		want = []string{"running " + release.Images["web"].String()}
	}
	if !slices.Equal(has["container"], want) || len(has["network"]) > len(want) || whole && len(has["volume"]) > 0 {
		return fmt.Errorf("%s of %s has\n%q\nwant the containers\n%q", env, app, has, want)
	}
	return nil
}

// noTrees is nil when no tree of a run is left.
func (c *chaos) noTrees(context.Context) error {
	left, err := os.ReadDir(filepath.Join(c.dir, "data", "runs"))
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%d trees of runs are left, such as %s", len(left), left[0].Name())
	}
	return err
}
