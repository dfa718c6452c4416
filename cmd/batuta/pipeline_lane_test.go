package main

import (
	"context"
	"sync"
	"testing"

	"batuta"
	"batuta/builder"
)

// TestARunOfTheDefaultBranchIsNotOvertaken has somebody start a run without
// saying of which branch, and push to that branch while it is built.
func TestARunOfTheDefaultBranchIsNotOvertaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	s.succeeds(t, s.push(t, "zero"))
	gate, entered := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.mu.Lock()
	w.onBuild = func(ctx context.Context, r builder.Request) error {
		if r.Revision != revision("") {
			return nil
		}
		once.Do(func() { close(entered) })
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.mu.Unlock()
	old, err := s.Start(t.Context(), testApp, "", "", "ana")
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	newer := s.push(t, "newer")
	tag := s.deliver(t, batuta.Push{App: testApp, Forge: "gitea", Delivery: "tag", Ref: "refs/tags/v1", Revision: revision("tag")})
	s.ended(t, tag) // that is no branch, and goes on beside it
	if run, err := s.store.Run(t.Context(), newer); err != nil || run.Status != batuta.RunQueued {
		t.Errorf("the push is %s (%v) while the run before it is built", run.Status, err)
	}
	close(gate)
	s.succeeds(t, old)
	if run := s.succeeds(t, newer); run.Release != 3 {
		t.Errorf("the push became release %d, before the run that was asked for earlier", run.Release)
	}
}

// TestAPushLeavesAloneWhatGoesElsewhere has a push come while a run by hand
// for another environment waits, and while it is built.
func TestAPushLeavesAloneWhatGoesElsewhere(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]string{"supersede": "app: shop\n", "cancel": "app: shop\nconcurrency: cancel\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.edit("batuta.yml", "app: shop\n", edit)
			w.files["environments/preview.yml"] = qaDocument
			s := w.open(t, nil)
			stop := s.work(t)
			s.succeeds(t, s.push(t, "zero"))
			stop()
			s = w.open(t, nil)
			gate, entered := make(chan struct{}), make(chan struct{})
			var once sync.Once
			w.mu.Lock()
			w.onBuild = func(ctx context.Context, r builder.Request) error {
				if r.Revision != revision("main") {
					return nil
				}
				once.Do(func() { close(entered) })
				select {
				case <-gate:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			w.mu.Unlock()
			preview, err := s.Start(t.Context(), testApp, "main", "preview", "ana")
			if err != nil {
				t.Fatal(err)
			}
			if name == "cancel" {
				s.work(t)
				<-entered
			}
			push := s.push(t, "two")
			close(gate)
			if name == "supersede" {
				s.work(t)
			}
			s.succeeds(t, push)
			s.succeeds(t, preview)
			if len(w.running("preview")) == 0 {
				t.Error("nothing runs in preview")
			}
		})
	}
}
