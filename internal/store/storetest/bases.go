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
