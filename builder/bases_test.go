package builder

import (
	"encoding/json"
	"testing"

	"github.com/moby/buildkit/client"

	"batuta"
)

// TestWhatIsNamedByDigestDoesNotMove reads what BuildKit says of a Dockerfile
// that names one image by tag and digest, and others by tag.
func TestWhatIsNamedByDigestDoesNotMove(t *testing.T) {
	t.Parallel()
	const one, two = "564453f30000000000000000000000000000000000000000000000000000000a", "7af9eac80000000000000000000000000000000000000000000000000000000b"
	b := bases{}
	b.watch(&client.SolveStatus{Vertexes: []*client.Vertex{
		{Name: "[1/2] FROM docker.io/library/node:22@sha256:" + one}, {Name: "[db 1/2] FROM docker.io/library/redis:7@sha256:" + two},
	}})
	b.read(provenance{"": json.RawMessage(`{"buildDefinition": {"resolvedDependencies": [
		{"uri": "pkg:docker/node@22?digest=sha256:` + one + `&platform=linux%2Famd64", "digest": {"sha256": "` + one + `"}},
		{"uri": "pkg:docker/redis@7?platform=linux%2Famd64", "digest": {"sha256": "` + two + `"}}]}}`)})
	want := bases{"docker.io/library/node": "sha256:" + one, "docker.io/library/redis:7": batuta.Digest("sha256:" + two)}
	if len(b) != len(want) {
		t.Fatalf("bases are %v", b)
	}
	for reference, digest := range want {
		if b[reference] != digest {
			t.Errorf("%s is %q", reference, b[reference])
		}
	}
}
