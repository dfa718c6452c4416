package main

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

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
	return grounded(t, map[batuta.AppName][]batuta.AppName{"site": {testApp}, "blog": {"site"}})
}

// grounded is a world of apps that are built from what others built last, and
// from an outside image.
func grounded(t *testing.T, from map[batuta.AppName][]batuta.AppName) *world {
	w := newWorld(t)
	w.crew = slices.DeleteFunc(slices.Sorted(maps.Keys(from)), func(a batuta.AppName) bool { return a == testApp })
	var mu sync.Mutex
	last := map[batuta.AppName]batuta.Digest{}
	w.bases = func(r builder.Request) []builder.Base {
		mu.Lock()
		defer mu.Unlock()
		last[r.App] = digestOf(r.Revision)
		var bases []builder.Base
		for _, of := range from[r.App] {
			bases = append(bases, builder.Base{Reference: "registry.example.edu/" + string(of) + "/web:latest", Digest: last[of], Newest: true})
		}
		return append(bases, outside)
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
