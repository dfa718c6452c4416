package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/builder"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// behind waits until an app stands as is wanted to what it is built from.
func (s *works) behind(t *testing.T, app batuta.AppName, want string) {
	t.Helper()
	lab.Wait(t, 20*time.Second, func() error {
		all, err := s.Bases(t.Context(), app)
		if err == nil && (len(all) != 1 || all[0].Behind != want) {
			err = fmt.Errorf("%s stands so: %+v; want %q", app, all, want)
		}
		return err
	})
}

// diamond is a world in which forum is built from site and blog, and those from
// shop; hold is called in the builds of blog that follow the first.
func diamond(t *testing.T, hold func(context.Context) error) *world {
	w := grounded(t, map[batuta.AppName][]batuta.AppName{"site": {testApp}, "blog": {testApp}, "forum": {"blog", "site"}})
	w.onBuild = func(ctx context.Context, r builder.Request) error {
		if r.App == "blog" && r.Revision != revision("one") {
			return hold(ctx)
		}
		return nil
	}
	return w
}

func TestADiamondIsRebuiltOnce(t *testing.T) {
	t.Parallel()
	built := make(chan struct{})
	s := diamond(t, func(ctx context.Context) error {
		select {
		case <-built:
		case <-ctx.Done():
		}
		return ctx.Err()
	}).start(t)
	s.pushes(t, "one", testApp, "site", "blog", "forum")
	s.succeeds(t, s.push(t, "two"))
	s.behind(t, "site", "")
	s.behind(t, "forum", "it waits for blog")
	s.count(t, 7)
	close(built)
	s.behind(t, "forum", "")
	last := s.succeeds(t, s.count(t, 8)[0].ID)
	rebuilt := digestOf(revision(""))
	if last.App != "forum" || last.Push.Delivery != fmt.Sprintf("%s of registry.example.edu/blog/web:latest, %s of registry.example.edu/site/web:latest for release 1", rebuilt, rebuilt) {
		t.Errorf("%+v", last.Push)
	}
}

func TestWhatWaitsForABaseGoesOnWithoutIt(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 1)
	s := diamond(t, func(ctx context.Context) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}).start(t)
	s.pushes(t, "one", testApp, "site", "blog", "forum")
	s.succeeds(t, s.push(t, "two"))
	s.behind(t, "forum", "it waits for blog")
	<-begun
	runs, err := s.store.Runs(t.Context(), []batuta.AppName{"blog"}, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Cancel(t.Context(), runs[0].ID, "ana"); err != nil {
		t.Fatal(err)
	}
	s.behind(t, "blog", fmt.Sprintf("run %d was to rebuild it: cancelled", runs[0].ID))
	last := s.succeeds(t, s.count(t, 8)[0].ID)
	if last.App != "forum" || last.Push.Delivery != fmt.Sprintf("%s of registry.example.edu/site/web:latest for release 1", digestOf(revision(""))) {
		t.Errorf("%+v", last.Push)
	}
	s.behind(t, "forum", "behind with blog")
}

// blind is a server that works and looks at no bases, until it is stopped.
func (w *world) blind(t *testing.T) (s *works, stop func()) {
	s = w.open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { s.Work(ctx) })
	stop = sync.OnceFunc(func() { cancel(); working.Wait(); _ = s.store.Close() })
	t.Cleanup(stop)
	return s, stop
}

func TestABaseOfAnEarlierServerIsFollowed(t *testing.T) {
	t.Parallel()
	w := founded(t)
	first, stop := w.blind(t)
	first.pushes(t, "one", testApp, "site")
	first.pushes(t, "two", testApp)
	first.behind(t, "site", "it is about to be rebuilt")
	stop()
	s := w.start(t)
	s.behind(t, "site", "")
	s.count(t, 4)
}

func TestANewBaseRebuildsItsDependantsInTheirOrder(t *testing.T) {
	t.Parallel()
	s := founded(t).start(t)
	s.pushes(t, "one", testApp, "site", "blog")
	changed := s.succeeds(t, s.push(t, "two"))
	runs := s.count(t, 6)
	blog, site := s.succeeds(t, runs[0].ID), s.succeeds(t, runs[1].ID)
	if site.App != "site" || site.Push.Forge != "base" || site.Push.Sender != fmt.Sprintf("base of run %d", changed.ID) {
		t.Errorf("%+v", site)
	}
	if blog.App != "blog" || blog.Push.Sender != fmt.Sprintf("base of run %d", site.ID) {
		t.Errorf("%+v", blog)
	}
	all, err := s.Bases(t.Context(), "site")
	if err != nil || all[0].Bases[0].Digest != digestOf(revision("two")) {
		t.Errorf("%+v, %v", all, err)
	}
	s.succeeds(t, s.deliver(t, batuta.Push{App: testApp, Forge: "gitea", Delivery: "again", Ref: "refs/heads/main", Revision: revision("two")}))
	s.count(t, 7) // the same image starts nothing
}

func TestARebuildThatFailsIsOnlyItsOwnFailure(t *testing.T) {
	t.Parallel()
	w := founded(t)
	s := w.start(t)
	s.pushes(t, "one", testApp, "site", "blog")
	w.mu.Lock()
	w.onBuild = func(_ context.Context, r builder.Request) error {
		if r.App == "site" {
			return errors.New("no such package")
		}
		return nil
	}
	w.mu.Unlock()
	s.succeeds(t, s.push(t, "two"))
	failed := s.fails(t, s.count(t, 5)[0].ID, "no such package")
	s.behind(t, "site", fmt.Sprintf("run %d was to rebuild it: failed", failed.ID))
	s.behind(t, "blog", "behind with site")
	s.pushes(t, "three", "blog")
	s.count(t, 6)
}

func TestAppsThatAreBuiltFromEachOtherAreNotRebuilt(t *testing.T) {
	t.Parallel()
	s := grounded(t, map[batuta.AppName][]batuta.AppName{testApp: {"blog"}, "site": {testApp}, "blog": {"site"}}).start(t)
	s.pushes(t, "one", testApp, "site", "blog")
	s.pushes(t, "two", testApp, "site", "blog")
	s.behind(t, testApp, "blog and shop and site are built from each other")
	s.count(t, 6)
}

func TestABaseFromOutsideIsAskedAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ask = 5 * time.Millisecond
	stale, digest := outside, builder.Base{Reference: "hub.example.edu/debian", Digest: "sha256:aa"}
	stale.Digest = "sha256:bb"
	w.bases = func(r builder.Request) []builder.Base {
		if r.Revision == revision("one") {
			return []builder.Base{stale, digest, {Reference: "unknown.example.edu/a:1", Digest: "sha256:cc"}}
		}
		return []builder.Base{outside, digest}
	}
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	run := s.succeeds(t, s.count(t, 2)[0].ID)
	if run.Push.Forge != "base" || !strings.HasPrefix(run.Push.Delivery, string(outside.Digest)) || run.Push.Ref != "" {
		t.Errorf("%+v", run.Push)
	}
	s.succeeds(t, s.push(t, "three"))
	s.count(t, 3)
}

func TestABaseThatIsReleasedMeanwhileIsCaughtUpWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crew = []batuta.AppName{"site"}
	var mu sync.Mutex
	builds := 0
	w.bases = func(r builder.Request) []builder.Base {
		if r.App != "site" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		base := builder.Base{Reference: "registry.example.edu/shop/web", Digest: digestOf(revision("two")), Newest: true}
		if builds++; builds == 1 {
			base.Digest = digestOf(revision("one")) // looked up before the second release
		}
		return []builder.Base{base}
	}
	s := w.start(t)
	s.pushes(t, "one", testApp)
	s.pushes(t, "two", testApp)
	s.pushes(t, "one", "site")
	run := s.succeeds(t, s.count(t, 4)[0].ID)
	if run.App != "site" || run.Push.Forge != "base" {
		t.Errorf("%+v", run)
	}
	s.pushes(t, "three", "site")
	s.count(t, 5) // it has caught up
}

func TestABaseFromOutsideIsFollowedInOrder(t *testing.T) {
	t.Parallel()
	w := founded(t)
	w.ask = time.Hour
	moved, chain := outside, w.bases
	moved.Digest = "sha256:bb"
	w.bases = func(r builder.Request) []builder.Base {
		bases := chain(r)
		if r.Revision == revision("one") {
			bases[len(bases)-1] = moved
		}
		return bases
	}
	first, stop := w.blind(t)
	first.pushes(t, "one", testApp, "site")
	stop()
	s := w.start(t)
	s.behind(t, "site", "")
	runs := s.count(t, 4)
	if site, shop := s.succeeds(t, runs[0].ID), s.succeeds(t, runs[1].ID); site.App != "site" || shop.App != testApp || site.Push.Sender != fmt.Sprintf("base of run %d", shop.ID) {
		t.Errorf("%+v, %+v", site.Push, shop.Push)
	}
	tags, err := s.store.Tags(t.Context())
	if err != nil || len(tags) != 2 || slices.ContainsFunc(tags, func(t pipeline.Tag) bool { return t.Digest != outside.Digest }) {
		t.Errorf("%+v, %v", tags, err)
	}
}

func TestATagOfAnAppIsAskedAboutWithItsRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crew = []batuta.AppName{"site"}
	tagged := "registry.example.edu/shop/web:latest"
	w.bases = func(r builder.Request) []builder.Base {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case r.App == testApp && r.Revision == revision("two"):
			w.moved = map[string]batuta.Digest{tagged: digestOf(r.Revision)} // as a test of the recipe may
		case r.App == "site" && r.Revision == revision("one"):
			return []builder.Base{{Reference: tagged, Digest: pinned(tagged).Digest}}
		case r.App == "site":
			return []builder.Base{{Reference: tagged, Digest: w.moved[tagged]}}
		}
		return nil
	}
	s := w.start(t) // which asks about nothing from time to time
	s.pushes(t, "one", testApp, "site")
	s.pushes(t, "two", testApp)
	run := s.succeeds(t, s.count(t, 4)[0].ID)
	if run.App != "site" || !strings.HasPrefix(run.Push.Delivery, string(digestOf(revision("two")))+" of "+tagged+" since ") {
		t.Errorf("%+v", run.Push)
	}
	s.behind(t, "site", "")
}
