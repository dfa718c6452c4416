package storetest

import (
	"testing"
	"time"

	"batuta"
	"batuta/builder"
	"batuta/pipeline"
)

func keepsBuilds(t *testing.T, l *lab) {
	lease := l.claim(l.accept(push("portal", "main", 1)))
	b := pipeline.Build{
		Image: "web", Made: batuta.Image{Repository: "localhost/portal/web", Digest: "sha256:aa"},
		Bases:      []builder.Base{{Reference: "docker.io/library/node:20", Digest: "sha256:bb"}, {Reference: "local:latest"}},
		Provenance: []byte(`{"buildDefinition":{"a":"<é>"}}`),
	}
	l.must(l.SaveBuild(t.Context(), lease, b))
	b.Bases = b.Bases[:1]
	l.must(l.SaveBuild(t.Context(), lease, b)) // the same bytes again
	l.restart()
	kept, err := l.Build(t.Context(), "portal", "sha256:aa")
	l.must(err)
	run, err := l.Run(t.Context(), lease.Run)
	l.must(err)
	b.App, b.Run, b.Begun = "portal", lease.Run, run.Started
	l.same("the build", kept, b)
	_, err = l.Build(t.Context(), "shop", "sha256:aa")
	l.refused(err, batuta.NotFound, "nothing is known of how sha256:aa of shop was built")
	l.refused(l.SaveBuild(t.Context(), pipeline.Lease{Run: lease.Run, Epoch: lease.Epoch + 7}, b), batuta.Conflict, "")
}

func keepsTags(t *testing.T, l *lab) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	node := pipeline.Tag{App: "portal", Reference: "docker.io/library/node:20", Digest: "sha256:aa", Since: at, Asked: at.Add(time.Hour), Tried: at.Add(2 * time.Hour)}
	php := pipeline.Tag{App: "portal", Reference: "docker.io/library/php:8", Tried: at}
	other := pipeline.Tag{App: "blog", Reference: node.Reference, Digest: "sha256:bb", Since: at, Asked: at, Tried: at}
	l.must(l.SaveTags(t.Context(), []pipeline.Tag{node, php, other}))
	l.restart()
	tags, err := l.Tags(t.Context())
	l.must(err)
	l.same("the tags", tags, []pipeline.Tag{other, node, php})
	l.must(l.SaveTags(t.Context(), []pipeline.Tag{php}))
	tags, err = l.Tags(t.Context())
	l.must(err)
	l.same("the tags that are left", tags, []pipeline.Tag{php})
}

// forgetsBuilds: what no release has is forgotten; what was attested stays with
// the releases that are live, and what images are built from with all.
func forgetsBuilds(t *testing.T, l *lab) {
	build := func(app batuta.AppName, n int, digest batuta.Digest) pipeline.Lease {
		t.Helper()
		lease := l.claim(l.accept(push(app, "main", n)))
		l.must(l.SaveBuild(t.Context(), lease, pipeline.Build{
			Image: "web", Made: batuta.Image{Repository: "localhost/web", Digest: digest}, Provenance: []byte(`{}`),
			Bases: []builder.Base{{Reference: "docker.io/library/node:20", Digest: "sha256:ee"}},
		}))
		return lease
	}
	released := func(lease pipeline.Lease, digest batuta.Digest) {
		t.Helper()
		r, err := l.AddRelease(t.Context(), lease, batuta.Release{Images: map[batuta.ImageName]batuta.Image{"web": {Repository: "localhost/web", Digest: digest}}})
		l.must(err)
		d, err := l.BeginDeployment(t.Context(), lease, batuta.Deployment{Environment: "qa", Release: r.Number})
		l.must(err)
		l.must(l.EndDeployment(t.Context(), lease, d.ID, batuta.Live, ""))
		l.end(lease, batuta.RunSucceeded)
	}
	released(build("portal", 1, "sha256:aa"), "sha256:aa")
	released(build("portal", 2, "sha256:bb"), "sha256:bb")
	tested := build("portal", 3, "sha256:cc")
	l.end(tested, batuta.RunFailed)
	build("shop", 4, "sha256:dd") // goes on

	l.must(l.ForgetBuilds(t.Context(), l.run(1).Ended))
	_, err := l.Build(t.Context(), "portal", "sha256:cc")
	l.must(err)
	l.must(l.ForgetBuilds(t.Context(), time.Now().Add(time.Hour)))
	l.restart()
	_, err = l.Build(t.Context(), "portal", "sha256:cc")
	l.refused(err, batuta.NotFound, "nothing is known of how sha256:cc of portal was built")
	for digest, attested := range map[batuta.Digest]bool{"sha256:aa": false, "sha256:bb": true} {
		b, err := l.Build(t.Context(), "portal", digest)
		l.must(err)
		if len(b.Bases) != 1 || attested != (len(b.Provenance) > 0) {
			t.Errorf("%s: %+v", digest, b)
		}
	}
	if b, err := l.Build(t.Context(), "shop", "sha256:dd"); err != nil || len(b.Provenance) == 0 {
		t.Errorf("what goes on: %+v, %v", b, err)
	}
}
