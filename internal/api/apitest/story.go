package apitest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/pipeline"
)

// Start is api.Runner. The ref "broken" does not build.
func (w *World) Start(_ context.Context, app batuta.AppName, ref string, _ batuta.EnvironmentName, by string) (batuta.RunID, error) {
	if app != "portal" {
		return 0, &batuta.Error{Kind: batuta.Unavailable, Message: "fetch " + string(app), Hint: "try again"}
	}
	return w.push(cmp.Or(ref, "refs/heads/main"), "By hand", by), nil
}

// Rerun is api.Runner.
func (w *World) Rerun(ctx context.Context, id batuta.RunID, _, by string) (batuta.RunID, error) {
	run, err := w.Run(ctx, id)
	switch {
	case err != nil:
		return 0, err
	case !run.Status.Ended():
		return 0, &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("run %d is %s", id, run.Status), Hint: "cancel it first"}
	case run.Kind == batuta.RunPush:
		return w.push(run.Push.Ref, run.Push.Message, by), nil
	}
	return w.deploy(run.Kind, run.Environment, run.Release, by), nil
}

// Approve is api.Runner: nothing waits here.
func (w *World) Approve(_ context.Context, id batuta.RunID, _ string) error {
	return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("run %d waits for nobody", id)}
}

// Cancel is api.Runner.
func (w *World) Cancel(ctx context.Context, id batuta.RunID, by string) error {
	run, err := w.Run(ctx, id)
	if err != nil {
		return err
	}
	if run.Status.Ended() {
		return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("run %d does not run", id)}
	}
	w.with(func() { w.runs[id-1].Error = "cancelled by " + by })
	w.End(id, batuta.RunCancelled)
	return nil
}

// Propose is api.Deployer.
func (w *World) Propose(_ context.Context, o pipeline.Order) (pipeline.Proposal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.App != "portal" || !slices.Contains([]batuta.EnvironmentName{"qa", "production"}, o.Environment) {
		return pipeline.Proposal{}, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("%s has no environment %s", o.App, o.Environment)}
	}
	if reason := w.sick["qa"]; o.Kind == batuta.RunPromotion && reason != "" {
		return pipeline.Proposal{}, &batuta.Error{Kind: batuta.Unhealthy, Message: "qa is not healthy: " + reason, Hint: "mend qa first"}
	}
	current := w.live[o.Environment]
	implied := map[batuta.RunKind]batuta.ReleaseNumber{batuta.RunPromotion: w.live["qa"], batuta.RunRollback: current - 1, batuta.RunDeploy: current}
	r, err := lookup(w.releases, int(cmp.Or(o.Release, implied[o.Kind])), "release")
	if err != nil {
		return pipeline.Proposal{}, err
	}
	text := fmt.Sprintf("replace web-1 on node1: release %d by %d\n", current, r.Number)
	if current == r.Number {
		text = ""
	}
	p := pipeline.Proposal{App: o.App, Environment: o.Environment, Current: current, Release: r, Text: text, Hash: w.hash(o.Environment, r.Number)}
	if w.restless > 0 {
		w.restless, w.moves = w.restless-1, w.moves+1
	}
	return p, nil
}

func (w *World) hash(env batuta.EnvironmentName, n batuta.ReleaseNumber) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, env, n, w.moves)))[:12]
}

// Order is api.Deployer.
func (w *World) Order(ctx context.Context, o pipeline.Order) (batuta.RunID, error) {
	w.mu.Lock()
	moves := w.moves
	w.mu.Unlock()
	p, err := w.Propose(ctx, o)
	if err != nil {
		return 0, err
	}
	w.mu.Lock()
	now := w.hash(o.Environment, p.Release.Number)
	if moves == w.moves {
		now = p.Hash
	}
	w.mu.Unlock()
	if o.Approved != "" && o.Approved != now {
		return 0, &batuta.Error{Kind: batuta.Conflict, Message: "what runs in " + string(o.Environment) + " has changed since the plan was shown"}
	}
	return w.deploy(o.Kind, o.Environment, p.Release.Number, o.By), nil
}

// Status is api.Deployer.
func (w *World) Status(_ context.Context, app batuta.AppName) ([]pipeline.EnvironmentStatus, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := []pipeline.EnvironmentStatus{}
	if app == "" || app == "blog" {
		all = append(all, pipeline.EnvironmentStatus{App: "blog", Environment: "qa", Reason: "nothing was deployed yet"})
	}
	if app == "blog" {
		return all, nil
	}
	for _, env := range []batuta.EnvironmentName{"qa", "production"} {
		r := w.releases[w.live[env]-1]
		all = append(all, pipeline.EnvironmentStatus{
			App: "portal", Environment: env, Instances: w.instances(env, r), Release: r.Number, Revision: r.Revision, Since: Now.Add(-3 * time.Hour),
			Healthy: w.sick[env] == "", Reason: w.sick[env], Containers: w.containers(env, r),
		})
	}
	return all, nil
}

// instances is what the release wants in the environment: it is all there, and
// in a sick one web-1 is not ready.
func (w *World) instances(env batuta.EnvironmentName, r batuta.Release) []pipeline.InstanceStatus {
	var all []pipeline.InstanceStatus
	for _, c := range w.containers(env, r) {
		ready := w.sick[env] == "" || c.Instance != "web-1"
		i := pipeline.InstanceStatus{Service: c.Service, Instance: c.Instance, Ship: c.Ship, Ready: ready, Release: c.Release, Started: c.Started}
		if !ready {
			i.Reason = w.sick[env]
		}
		all = append(all, i)
	}
	return all
}

func (w *World) containers(env batuta.EnvironmentName, r batuta.Release) []batuta.ContainerState {
	var all []batuta.ContainerState
	for i, ship := range []batuta.ShipName{"node1", "node2"} {
		all = append(all, batuta.ContainerState{
			App: "portal", Environment: env, Service: "web", Instance: batuta.InstanceName(fmt.Sprintf("web-%d", i+1)), Ship: ship,
			ID: strings.Repeat("c", 64), Release: r.Number, Image: r.Images["web"].String(), State: "running",
			Started: Now.Add(-3 * time.Hour), URLs: []string{fmt.Sprintf("http://10.0.0.%d:8080", 10+i)},
		})
	}
	return all
}

// push plays a run from a push to qa.
func (w *World) push(ref, message, by string) batuta.RunID {
	id := w.begin(batuta.Run{Kind: batuta.RunPush, By: by, Push: batuta.Push{Ref: ref, Message: message}})
	w.with(func() { w.runs[id-1].Push.Revision = batuta.Revision(strings.Repeat(fmt.Sprintf("%04x", id), 10)) })
	w.play(id, "source", "fetched "+ref)
	if ref == "broken" {
		w.play(id, "build web", "Dockerfile:3: RUN npm ci", "npm: not found")
		w.fail(id, "build web", "Dockerfile:3: RUN npm ci: exit code 127")
		return id
	}
	w.play(id, "build web", "step 1/2 FROM node:22", "step 2/2 COPY . .", "pushed")
	w.with(func() {
		n := batuta.ReleaseNumber(len(w.releases) + 1)
		image := batuta.Image{Repository: "registry.example.edu/portal/web", Digest: batuta.Digest(fmt.Sprintf("sha256:%064x", n))}
		w.releases = append(w.releases, batuta.Release{
			App: "portal", Number: n, Run: id, Revision: w.runs[id-1].Push.Revision, Message: message, Created: Now.Add(-time.Duration(10-n) * time.Hour),
			Images: map[batuta.ImageName]batuta.Image{"web": image}, Order: []batuta.EnvironmentName{"qa", "production"},
			Documents: map[batuta.EnvironmentName]string{"qa": "batuta: 1\n"},
		})
		w.runs[id-1].Environment, w.runs[id-1].Release = "qa", n
	})
	w.finish(id)
	return id
}

// Sent plays a push whose run deploys to an environment: where a push goes, or
// where a person said.
func (w *World) Sent(env batuta.EnvironmentName) batuta.RunID {
	id := w.push("main", "Sent", "ana")
	w.with(func() { w.runs[id-1].Environment = env })
	return id
}

// deploy plays a run that a person ordered.
func (w *World) deploy(kind batuta.RunKind, env batuta.EnvironmentName, n batuta.ReleaseNumber, by string) batuta.RunID {
	id := w.begin(batuta.Run{Kind: kind, Environment: env, Release: n, By: by})
	w.finish(id)
	return id
}

func (w *World) begin(r batuta.Run) batuta.RunID {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.ID, r.App, r.Status = batuta.RunID(len(w.runs)+1), "portal", batuta.RunRunning
	r.Created = Now.Add(-time.Duration(5-min(r.ID, 4)) * time.Hour)
	r.Started = r.Created.Add(time.Second)
	w.runs = append(w.runs, r)
	w.entries = append(w.entries, batuta.Entry{At: r.Created, By: r.By, Action: string(r.Kind) + " asked", App: r.App, Object: string(r.Environment), Detail: fmt.Sprintf("run %d", r.ID)})
	return r.ID
}

// play adds a step that succeeded.
func (w *World) play(id batuta.RunID, step string, lines ...string) {
	w.Print(id, step, lines...)
	w.with(func() {
		r := &w.runs[id-1]
		r.Steps = append(r.Steps, batuta.Step{Name: step, Status: batuta.StepSucceeded, Attempt: 1, Started: r.Started, Ended: r.Started.Add(2 * time.Second), Output: []byte(`{"of":"the engine"}`)})
	})
}

func (w *World) fail(id batuta.RunID, step, why string) {
	w.with(func() {
		r := &w.runs[id-1]
		s := &r.Steps[len(r.Steps)-1]
		s.Name, s.Status, s.Error = step, batuta.StepFailed, why
		r.Status, r.Error, r.Ended = batuta.RunFailed, step+": "+why, r.Started.Add(4*time.Second)
	})
}

// finish deploys what the run is about, and ends it unless the world is held.
func (w *World) finish(id batuta.RunID) {
	w.mu.Lock()
	r, held := w.runs[id-1], w.held
	w.mu.Unlock()
	if held {
		return
	}
	w.play(id, "deploy "+string(r.Environment), "web-1 is ready on node1", "web-2 is ready on node2")
	w.with(func() {
		r := &w.runs[id-1]
		r.Status, r.Ended = batuta.RunSucceeded, r.Started.Add(9*time.Second)
		w.live[r.Environment] = r.Release
		w.moves++
		w.deployments = append(w.deployments, batuta.Deployment{
			ID: batuta.DeploymentID(len(w.deployments) + 1), App: r.App, Environment: r.Environment, Release: r.Release,
			Run: id, Status: batuta.Live, By: r.By, Started: r.Started, Ended: r.Ended,
		})
	})
}
