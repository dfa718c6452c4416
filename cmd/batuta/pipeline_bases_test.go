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
	"batuta/pipeline"
)

// outside is an image that no app of the server builds.
var outside = builder.Base{Reference: "hub.example.edu/node:20", Digest: pinned("hub.example.edu/node:20").Digest}

func TestWhyTellsWhereEachContainerComesFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "promote: [qa, production]", "promote: [qa, {to: production, approvals: 2}]")
	w.bases = func(builder.Request) []builder.Base { return []builder.Base{outside} }
	s := w.start(t)
	pushed := s.succeeds(t, s.push(t, "one"))
	asked, err := s.asks(t, "ana")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Approve(t.Context(), asked, "ben"); err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, asked)
	s.succeeds(t, s.push(t, "two")) // which production does not run

	why, err := s.Why(t.Context(), testApp, "production")
	if err != nil || len(why.Containers) != 2 || why.Release != 1 {
		t.Fatalf("%+v, %v", why, err)
	}
	for _, o := range why.Containers {
		if m := o.Built; m == nil || m.Run != pushed.ID || m.Revision != revision("one") || m.Forge != "gitea" || m.Delivery != "one" || m.By != "ana" || !m.At.Equal(pushed.Push.Received) {
			t.Errorf("%s was made so: %+v", o.Instance, m)
		}
		if d := o.Deployed; d == nil || d.Run != asked || d.Kind != batuta.RunPromotion || d.From != "qa" || strings.Join(d.Approved, " ") != "ana ben" || d.Status != batuta.Live || d.Plan == "" {
			t.Errorf("%s came so: %+v", o.Instance, d)
		}
		if !strings.HasSuffix(o.Image, "@sha256:"+strings.Repeat("0", 24)+string(revision("one"))) || o.Name != "web" || !slices.Equal(o.Bases, []builder.Base{outside}) {
			t.Errorf("%s runs %s (%s), from %v", o.Instance, o.Image, o.Name, o.Bases)
		}
	}
	qa, err := s.Why(t.Context(), testApp, "qa")
	if err != nil || len(qa.Containers) != 1 || qa.Containers[0].Built.Revision != revision("two") || qa.Containers[0].Deployed.From != "" || qa.Containers[0].Deployed.Approved != nil {
		t.Errorf("%+v, %v", qa, err)
	}
	_, err = s.Why(t.Context(), testApp, "nowhere")
	refused(t, err, batuta.NotFound, "shop has no environment nowhere")
	_, digest, _ := strings.Cut(qa.Containers[0].Image, "@")
	if b, err := s.Provenance(t.Context(), testApp, batuta.Digest(digest)); err != nil || len(b.Provenance) == 0 {
		t.Errorf("%+v, %v", b, err)
	}
}

// founded is a world of three apps: shop is built from an outside image, site
// from what shop built last, and blog from what site did.
func founded(t *testing.T) *world {
	w := newWorld(t)
	w.crew = []batuta.AppName{"blog", "site"}
	from := map[batuta.AppName]batuta.AppName{"site": testApp, "blog": "site"}
	var mu sync.Mutex
	last := map[batuta.AppName]batuta.Digest{}
	w.bases = func(r builder.Request) []builder.Base {
		mu.Lock()
		defer mu.Unlock()
		last[r.App] = digestOf(r.Revision)
		if of, ours := from[r.App]; ours {
			return []builder.Base{{Reference: "registry.example.edu/" + string(of) + "/web:latest", Digest: last[of]}, outside}
		}
		return []builder.Base{outside}
	}
	return w
}

// digestOf is that of the image that the world builds of a revision.
func digestOf(r batuta.Revision) batuta.Digest {
	return batuta.Digest("sha256:" + strings.Repeat("0", 24) + string(r))
}

// pushes has each of the apps in turn pushed and released.
func (s *works) pushes(t *testing.T, word string, apps ...batuta.AppName) {
	t.Helper()
	for _, app := range apps {
		s.succeeds(t, s.deliver(t, batuta.Push{App: app, Forge: "gitea", Delivery: word, Ref: "refs/heads/main", Revision: revision(word)}))
	}
}

func TestBasesAreAGraph(t *testing.T) {
	t.Parallel()
	s := founded(t).start(t)
	s.pushes(t, "one", testApp, "site", "blog")
	all, err := s.Bases(t.Context(), "")
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	var got []string
	for _, f := range all {
		line := string(f.App) + ":"
		for _, b := range f.Bases {
			line += " " + b.Reference + "=" + string(b.App)
		}
		for _, d := range f.Dependants {
			line += " <" + string(d)
		}
		got = append(got, line)
	}
	want := []string{
		"blog: registry.example.edu/site/web:latest=site hub.example.edu/node:20=",
		"shop: hub.example.edu/node:20= <site",
		"site: registry.example.edu/shop/web:latest=shop hub.example.edu/node:20= <blog",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if one, err := s.Bases(t.Context(), "site"); err != nil || len(one) != 1 || one[0].App != "site" || len(one[0].Dependants) != 1 {
		t.Errorf("%+v, %v", one, err)
	}
	var none []pipeline.Foundation
	if none, err = s.Bases(t.Context(), "nobody"); err == nil {
		t.Errorf("nobody has %v", none)
	}
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
	s.fails(t, s.count(t, 5)[0].ID, "no such package")
	s.pushes(t, "three", "blog")
	s.count(t, 6)
}

func TestAppsThatAreBuiltFromEachOtherAreNotRebuilt(t *testing.T) {
	t.Parallel()
	w := founded(t)
	chain := w.bases
	w.bases = func(r builder.Request) []builder.Base {
		if r.App == testApp {
			return append(chain(r), builder.Base{Reference: "registry.example.edu/blog/web:latest", Digest: "sha256:aa"})
		}
		return chain(r)
	}
	s := w.start(t)
	s.pushes(t, "one", testApp, "site", "blog")
	s.pushes(t, "two", testApp, "site", "blog")
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
