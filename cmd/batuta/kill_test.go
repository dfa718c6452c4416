package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"batuta"
	"batuta/internal/config"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// killAt tells a server of this file's tests where to kill itself: "before" or
// "after", a space, and the name of a write.
const (
	killConfig = "BATUTA_TEST_SERVE"
	killAt     = "BATUTA_TEST_KILL_AT"
	killBinary = "BATUTA_TEST_BINARY"
)

// serveToBeKilled is what this test's binary does when it is started as a
// server. It returns only if nothing kills it.
func serveToBeKilled(file string) int {
	cfg, err := config.Load(file)
	if err == nil {
		err = serve(context.Background(), cfg, parts{
			log:    slog.New(slog.NewTextHandler(os.Stderr, nil)),
			binary: os.Getenv(killBinary),
			wrap:   func(s pipeline.Store) pipeline.Store { return deadly{s, os.Getenv(killAt)} },
		})
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// deadly is a store that kills its process with SIGKILL before or after one
// of the writes of a run.
type deadly struct {
	pipeline.Store
	at string
}

// idle is the point of a server that takes in work and begins none.
const idle = "idle"

// Claim gives nothing to an idle server.
func (d deadly) Claim(ctx context.Context) (batuta.Run, pipeline.Lease, error) {
	if d.at == idle {
		return batuta.Run{}, pipeline.Lease{}, batuta.NotFound
	}
	return d.Store.Claim(ctx)
}

func (d deadly) around(name string, write func() error) error {
	if d.at == "before "+name {
		d.die()
	}
	err := write()
	if d.at == "after "+name {
		d.die()
	}
	return err
}

func (d deadly) die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // it takes a moment
}

func (d deadly) SaveStep(ctx context.Context, l pipeline.Lease, s batuta.Step) error {
	return d.around(fmt.Sprintf("%s %s", s.Name, s.Status), func() error { return d.Store.SaveStep(ctx, l, s) })
}

func (d deadly) SaveRun(ctx context.Context, l pipeline.Lease, r batuta.Run) error {
	return d.around("saved run", func() error { return d.Store.SaveRun(ctx, l, r) })
}

func (d deadly) EndRun(ctx context.Context, l pipeline.Lease, status batuta.RunStatus, why string) error {
	return d.around("end", func() error { return d.Store.EndRun(ctx, l, status, why) })
}

func (d deadly) AddRelease(ctx context.Context, l pipeline.Lease, r batuta.Release) (added batuta.Release, err error) {
	err = d.around("added release", func() error { added, err = d.Store.AddRelease(ctx, l, r); return err })
	return added, err
}

func (d deadly) BeginDeployment(ctx context.Context, l pipeline.Lease, b batuta.Deployment) (begun batuta.Deployment, err error) {
	err = d.around("begun deployment", func() error { begun, err = d.Store.BeginDeployment(ctx, l, b); return err })
	return begun, err
}

func (d deadly) EndDeployment(ctx context.Context, l pipeline.Lease, id batuta.DeploymentID, status batuta.DeploymentStatus, why string) error {
	return d.around("ended deployment", func() error { return d.Store.EndDeployment(ctx, l, id, status, why) })
}

func (d deadly) EndLetter(ctx context.Context, l pipeline.Letter, why string) error {
	return d.around("letter ended", func() error { return d.Store.EndLetter(ctx, l, why) })
}

// deathbeds is every point of a run at which its server is killed: before a
// write, when an effect is not yet known, and after it. "deploy" stands for
// the step that deploys to the environment.
func deathbeds(env batuta.EnvironmentName, steps ...string) []string {
	var all []string
	for _, step := range append(steps, "deploy "+string(env)) {
		writes := []string{step + " running", step + " succeeded"}
		switch {
		case step == "release":
			writes = []string{writes[0], "added release", writes[1]}
		case strings.HasPrefix(step, "deploy"):
			writes = []string{writes[0], "begun deployment", "ended deployment", writes[1], "end"}
		}
		for _, write := range writes {
			all = append(all, "before "+write)
			if write != "end" { // after that there is nothing to resume
				all = append(all, "after "+write)
			}
		}
	}
	return all
}

// TestKilledAtEveryStep takes one push, and then one promotion, through a
// server that is killed with SIGKILL before and after each of its writes, one
// after the other. In the end there is one release, one deployment an
// environment, and one container an instance.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("clock-killed")
	lab.Bases(t, lab.Node)
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 3), app, "")
	w := s.newWorkingCopy(t, "node", app)

	server := s.start(t, idle)
	w.push()
	server.kill(t)
	s.dieAt(t, deathbeds("qa", "source", "read", "build web", "release", "sign"))
	server = s.start(t, "")
	run := s.succeeds(t, 1)
	s.answers(t, app, "qa", 1, "In QA it is")
	for _, step := range run.Steps {
		if step.Attempt < 3 {
			t.Errorf("step %s has %d attempts: it was not resumed at both of its ends", step.Name, step.Attempt)
		}
	}

	server.kill(t)
	server = s.start(t, idle)
	order, err := s.client.Deploy(t.Context(), app, "production", promotion())
	if err != nil {
		t.Fatal(err)
	}
	server.kill(t)
	s.dieAt(t, deathbeds("production"))
	s.start(t, "")
	s.succeeds(t, order.ID)
	s.answers(t, app, "production", 2, "It is")
	s.onlyOnce(t, app)
}

// onlyOnce checks that nothing was done twice.
func (s *site) onlyOnce(t *testing.T, app batuta.AppName) {
	t.Helper()
	releases, err := s.client.Releases(t.Context(), app, 10)
	if err != nil || len(releases) != 1 {
		t.Errorf("%d releases (%v), want 1", len(releases), err)
	}
	runs, err := s.client.Runs(t.Context(), app, "", 10)
	if err != nil || len(runs) != 2 {
		t.Errorf("%d runs (%v), want 2", len(runs), err)
	}
	for _, env := range []batuta.EnvironmentName{"qa", "production"} {
		deployments, err := s.client.Deployments(t.Context(), app, env, 10)
		if err != nil || len(deployments) != 1 || deployments[0].Status != batuta.Live {
			t.Errorf("deployments to %s: %+v (%v), want one that is live", env, deployments, err)
		}
	}
	containers := 0
	for _, ship := range s.ships {
		containers += len(strings.Fields(onShip(t.Context(), t, ship, "container", "ls", "--all", "--quiet", "--filter", "label=batuta.app="+string(app))))
	}
	if containers != 3 {
		t.Errorf("%d containers on the ships, want 3", containers)
	}
}

// dieAt starts a server for each point, which must kill itself there.
func (s *site) dieAt(t *testing.T, points []string) {
	t.Helper()
	for _, point := range points {
		child := s.start(t, point)
		select {
		case <-child.ended:
		case <-time.After(runTime):
			t.Fatalf("the server did not come to the point %q\n%s", point, child.log.String())
		}
		if status, ok := child.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("the server that should be killed %s ended otherwise: %v\n%s", point, child.cmd.ProcessState, child.log.String())
		}
	}
}

// child is a server in a process of its own.
type child struct {
	cmd   *exec.Cmd
	log   bytes.Buffer // read it after ended
	ended chan struct{}
}

// start starts a server that will kill itself at a point, and waits until it
// answers or has ended.
func (s *site) start(t *testing.T, point string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(self), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), killConfig+"="+s.file, killAt+"="+point, killBinary+"="+binary(t))
	c.cmd.Stderr = &c.log
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(c.ended); _ = c.cmd.Wait() }()
	t.Cleanup(func() { c.kill(t) })
	lab.Wait(t, time.Minute, func() error {
		select {
		case <-c.ended:
			return nil
		default:
		}
		_, err := get(t.Context(), s.url+"/healthz")
		return err
	})
	return c
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	_ = c.cmd.Process.Kill() // it may have ended
	<-c.ended
	if t.Failed() {
		t.Log(c.log.String())
	}
}
