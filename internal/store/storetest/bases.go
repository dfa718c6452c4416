package storetest

import (
	"testing"

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
	b.App, b.Run = "portal", lease.Run
	l.same("the build", kept, b)
	_, err = l.Build(t.Context(), "shop", "sha256:aa")
	l.refused(err, batuta.NotFound, "nothing is known of how sha256:aa of shop was built")
	l.refused(l.SaveBuild(t.Context(), pipeline.Lease{Run: lease.Run, Epoch: lease.Epoch + 7}, b), batuta.Conflict, "")
}
