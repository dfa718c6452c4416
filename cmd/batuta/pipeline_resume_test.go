package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"batuta"
	"batuta/builder"
	"batuta/deployer"
	"batuta/deployer/shiptest"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// faltering is a store that stops taking a run's writes at a point, as one
// does whose server has died; what was written before stays.
type faltering struct {
	pipeline.Store
	dead   *atomic.Bool
	fatal  func(batuta.Step) bool // the step whose saving is the last thing that is not done
	endsAt *atomic.Int32          // how many ends of runs fail before one is taken
}

var errDead = errors.New("the server is dead")

func (f faltering) SaveStep(ctx context.Context, l pipeline.Lease, s batuta.Step) error {
	if f.fatal != nil && f.fatal(s) {
		f.dead.Store(true)
	}
	if f.dead.Load() {
		return errDead
	}
	return f.Store.SaveStep(ctx, l, s)
}

func (f faltering) EndRun(ctx context.Context, l pipeline.Lease, status batuta.RunStatus, why string) error {
	if f.dead.Load() {
		return batuta.Conflict // gives up at once, as a dead server does
	}
	if f.endsAt != nil && f.endsAt.Add(-1) >= 0 {
		return batuta.Unavailable
	}
	return f.Store.EndRun(ctx, l, status, why)
}

// dies has a server work on a push until it dies, and gives the next one.
func (w *world) dies(t *testing.T, word string, fatal func(batuta.Step) bool, meanwhile func(*works, batuta.RunID)) (*works, batuta.RunID) {
	t.Helper()
	dead := &atomic.Bool{}
	s := w.open(t, func(kept pipeline.Store) pipeline.Store { return faltering{Store: kept, dead: dead, fatal: fatal} })
	stop := s.work(t)
	id := s.push(t, word)
	meanwhile(s, id)
	lab.Wait(t, 20*time.Second, func() error {
		if !dead.Load() {
			return errors.New("the server still lives")
		}
		return nil
	})
	stop()
	return w.start(t), id
}

func TestADeploymentThatFailedIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open(t, nil)
	stop := s.work(t)
	s.succeeds(t, s.push(t, "one"))
	stop()
	w.ships["a"].Behave = func(i deployer.Instance) shiptest.Behaviour {
		return shiptest.Behaviour{Exits: strings.Contains(string(i.Image.Digest), string(revision("bad"))), ExitCode: 3}
	}
	s, id := w.dies(t, "bad", func(step batuta.Step) bool { return step.Name == "deploy qa" && step.Status == batuta.StepFailed }, func(*works, batuta.RunID) {})
	w.ships["a"].Behave = nil // would it be done again, it would work
	s.fails(t, id, "rolled back")
	want(t, w.running("qa"), "web-1@a=one")
}

func TestACancelOutlivesTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	building := make(chan struct{}, 8)
	w.onBuild = func(ctx context.Context, _ builder.Request) error {
		building <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	s, id := w.dies(t, "one", func(step batuta.Step) bool { return step.Status == batuta.StepCancelled }, func(s *works, id batuta.RunID) {
		<-building
		if err := s.Cancel(t.Context(), id, "ana"); err != nil {
			t.Error(err)
		}
	})
	if run := s.ended(t, id); run.Status != batuta.RunCancelled || run.Error != "cancelled by ana" {
		t.Errorf("the next server makes it %s: %s", run.Status, run.Error)
	}
	if w.built() != 1 {
		t.Errorf("%d builds, want the one that was cancelled", w.built())
	}
}

func TestTheEndOfARunIsSavedInTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fails := &atomic.Int32{}
	fails.Store(1)
	s := w.open(t, func(kept pipeline.Store) pipeline.Store {
		return faltering{Store: kept, dead: &atomic.Bool{}, endsAt: fails}
	})
	s.work(t)
	s.succeeds(t, s.push(t, "one"))
	s.succeeds(t, s.push(t, "two"))
}

// full is a store whose disk is full for a while, once
// a deployment has done its work.
type full struct {
	pipeline.Store
	refuses *atomic.Int32 // how many writes
}

func (f full) EndDeployment(ctx context.Context, l pipeline.Lease, id batuta.DeploymentID, status batuta.DeploymentStatus, why string) error {
	if f.refuses.Add(-1) >= 0 {
		return &batuta.Error{Kind: batuta.Unavailable, Message: "no space left on device"}
	}
	return f.Store.EndDeployment(ctx, l, id, status, why)
}

func (f full) SaveStep(ctx context.Context, l pipeline.Lease, s batuta.Step) error {
	if s.Name == "deploy qa" && s.Status != batuta.StepRunning && f.refuses.Add(-1) >= 0 {
		return &batuta.Error{Kind: batuta.Unavailable, Message: "no space left on device"}
	}
	return f.Store.SaveStep(ctx, l, s)
}

// TestAFullDiskLosesNoDeployment has the disk be full for a moment when a
// deployment has done its work, and when the server is told to stop meanwhile.
func TestAFullDiskLosesNoDeployment(t *testing.T) {
	t.Parallel()
	for _, refusals := range []int32{1, 2} {
		w := newWorld(t)
		refuses := &atomic.Int32{}
		refuses.Store(refusals)
		s := w.open(t, func(kept pipeline.Store) pipeline.Store { return full{kept, refuses} })
		s.work(t)
		run := s.succeeds(t, s.push(t, "one"))
		if d, err := s.store.Current(t.Context(), testApp, "qa"); err != nil || d.Run != run.ID || d.Status != batuta.Live {
			t.Errorf("live is %+v, %v", d, err)
		}
	}
	w := newWorld(t)
	refuses := &atomic.Int32{}
	refuses.Store(1000)
	s := w.open(t, func(kept pipeline.Store) pipeline.Store { return full{kept, refuses} })
	stop := s.work(t)
	id := s.push(t, "one")
	lab.Wait(t, time.Minute, func() error {
		if refuses.Load() == 1000 {
			return errors.New("nothing was refused yet")
		}
		return nil
	})
	stop()
	w.start(t).succeeds(t, id)
	want(t, w.running("qa"), "web-1@a=one")
}

func TestOldTreesAreSwept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open(t, nil)
	stop := s.work(t)
	id := s.push(t, "one")
	s.succeeds(t, id)
	stop()
	old := filepath.Join(w.dir, "runs", "1", "source")
	if err := os.MkdirAll(old, 0o700); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	lab.Wait(t, 10*time.Second, func() error {
		if _, err := os.Stat(old); err == nil {
			return errors.New("the tree is still there")
		}
		return nil
	})
}

func TestOneBranchByTwoNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	building, goOn := make(chan struct{}, 8), make(chan struct{})
	w.onBuild = func(context.Context, builder.Request) error {
		building <- struct{}{}
		<-goOn
		return nil
	}
	s := w.start(t)
	first := s.push(t, "one")
	<-building
	second, err := s.Start(t.Context(), testApp, "main", "", "ana")
	if err != nil {
		t.Fatal(err)
	}
	if run, err := s.store.Run(t.Context(), second); err != nil || run.Status != batuta.RunQueued {
		t.Errorf("the run by hand of the same branch is %s (%v) while the push is built", run.Status, err)
	}
	close(goOn)
	s.succeeds(t, first)
	s.succeeds(t, second)
}

// aged is a store that keeps the recipe of a run as the first binary did: of
// an app, its images, the branches and the order.
type aged struct{ pipeline.Store }

// SaveStep forgets what came later.
func (a aged) SaveStep(ctx context.Context, l pipeline.Lease, s batuta.Step) error {
	if s.Name == "read" && s.Status == batuta.StepSucceeded {
		var now struct {
			Recipe    map[string]any    `json:"recipe"`
			Documents map[string]string `json:"documents"`
		}
		if err := json.Unmarshal(s.Output, &now); err != nil {
			return err
		}
		maps.DeleteFunc(now.Recipe, func(key string, _ any) bool {
			return !slices.Contains([]string{"app", "images", "on", "promote"}, key)
		})
		var err error
		if s.Output, err = json.Marshal(now); err != nil {
			return err
		}
	}
	return a.Store.SaveStep(ctx, l, s)
}

// TestARunOfAnOlderBinaryIsResumed replaces the binary in the middle of a
// build: the new one goes by what the old one saved.
func TestARunOfAnOlderBinaryIsResumed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := &atomic.Bool{}
	old := w.open(t, func(kept pipeline.Store) pipeline.Store {
		return faltering{Store: aged{kept}, dead: dead, fatal: func(s batuta.Step) bool {
			return s.Name == "build web" && s.Status == batuta.StepSucceeded
		}}
	})
	stop := old.work(t)
	id := old.push(t, "one")
	lab.Wait(t, 20*time.Second, func() error {
		if !dead.Load() {
			return errors.New("the old binary still lives")
		}
		return nil
	})
	stop()
	s := w.start(t)
	run := s.succeeds(t, id)
	want(t, w.running("qa"), "web-1@a=one")
	for _, step := range run.Steps {
		if step.Name == "read" && (step.Attempt != 1 || strings.Contains(string(step.Output), "timeout")) {
			t.Errorf("the recipe was read anew: attempt %d: %s", step.Attempt, step.Output)
		}
	}
	s.succeeds(t, s.push(t, "two"))
}
