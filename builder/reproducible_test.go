package builder_test

import (
	"archive/tar"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"batuta/builder"
)

// committed is when the tests' revisions were committed.
var committed = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// daily has all that usually makes two builds differ.
var daily = map[string]string{
	"Dockerfile": "FROM busybox\nWORKDIR /app\nCOPY . .\nRUN echo built >/app/built && mkdir /app/cache\n",
	"page.html":  "ahoy",
}

func TestRevisionBuiltTwiceIsOneImage(t *testing.T) {
	t.Parallel()
	b := onBuildkitd(t)
	r := b.request(t, builder.Recipe{NoCache: true}, daily)
	r.Time = committed
	first, _ := made(t, b.builder(t), r)
	r.Source = tree(t, daily) // another checkout, by another server
	second, _ := made(t, b.builder(t), r)
	if first.Image != second.Image {
		t.Errorf("built %s and %s", first.Image, second.Image)
	}
	if first.Cached || second.Cached {
		t.Error("it was not built twice")
	}
	image := pulled(t, second)
	config, err := image.ConfigFile()
	must(t, err)
	if !config.Created.Equal(committed) {
		t.Errorf("it is of %s", config.Created)
	}
	eachEntry(t, image, func(h *tar.Header, _ io.Reader) {
		if h.ModTime.After(committed) {
			t.Errorf("%s is of %s", h.Name, h.ModTime)
		}
	})
}

// A commit changes nothing but its time for the steps whose files it leaves.
func TestNextCommitFindsTheCacheWarm(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		built := b.builder(t)
		r := b.request(t, builder.Recipe{}, daily)
		must(t, os.WriteFile(filepath.Join(r.Source, "page.html"), []byte(r.Revision), 0o644))
		r.Time = committed
		first, _ := made(t, built, r)
		if first.Cached {
			t.Error("the first build says that it was cached")
		}
		if again, _ := made(t, built, r); again.Image != first.Image {
			t.Errorf("one revision is %s and %s", first.Image, again.Image)
		}
		r.Time = committed.Add(time.Hour)
		second, log := made(t, built, r)
		if !second.Cached {
			t.Errorf("the second build says that it was not cached:\n%s", log)
		}
		if one, two := layers(t, pulled(t, first)), layers(t, pulled(t, second)); !slices.Equal(one, two) {
			t.Errorf("the layers were %s and are %s", one, two)
		}
	})
}

func TestDockerfileMayAskForTheTime(t *testing.T) {
	t.Parallel()
	b := onBuildkitd(t)
	r := b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "FROM busybox\nARG SOURCE_DATE_EPOCH\nRUN echo $SOURCE_DATE_EPOCH >/epoch\n"})
	r.Time = committed
	image, _ := build(t, b.builder(t), r)
	if got := content(t, image)["epoch"]; got != "1709208000\n" {
		t.Errorf("the time is %q", got)
	}
}

func TestProvenanceIsReturnedWithoutSecrets(t *testing.T) {
	t.Parallel()
	b := onBuildkitd(t)
	r := b.request(t, builder.Recipe{Secrets: []string{"token"}, Args: map[string]string{"COLOUR": "green"}}, map[string]string{
		"Dockerfile": "FROM busybox\nARG COLOUR\nRUN --mount=type=secret,id=token cat /run/secrets/token | wc -c; echo $COLOUR\n",
	})
	r.Secrets = map[string][]byte{"token": []byte("hunter2")}
	result, _ := made(t, b.builder(t), r)
	var said struct {
		BuildDefinition struct {
			ResolvedDependencies []struct {
				URI    string
				Digest struct{ SHA256 string }
			}
		}
	}
	must(t, json.Unmarshal(result.Provenance, &said))
	text := string(result.Provenance)
	for _, want := range []string{"green", "wc -c", "token"} {
		if !strings.Contains(text, want) {
			t.Errorf("the provenance lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Error("the provenance has the secret")
	}
	if len(result.Bases) != 1 || result.Bases[0].Reference != "docker.io/library/busybox:latest" {
		t.Fatalf("the bases are %+v", result.Bases)
	}
	for _, d := range said.BuildDefinition.ResolvedDependencies {
		if strings.Contains(d.URI, "busybox") && "sha256:"+d.Digest.SHA256 == string(result.Bases[0].Digest) {
			return
		}
	}
	t.Errorf("the provenance has other bases than %+v: %+v", result.Bases, said)
}

func TestBasesOfAllStagesThatCount(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		base, err := mutate.Time(randomImage(t), committed)
		must(t, err)
		must(t, crane.Push(base, b.registry+"/base:1", crane.Insecure))
		result, _ := made(t, b.builder(t), b.request(t, builder.Recipe{Target: "final"}, map[string]string{
			"Dockerfile": "FROM " + b.registry + "/base:1 AS tools\nFROM " + b.registry + "/none:1 AS unused\nFROM scratch AS final\nCOPY --from=tools / /\n",
		}))
		want := builder.Base{Reference: b.registry + "/base:1", Digest: imageDigest(t, base)}
		if len(result.Bases) != 1 || result.Bases[0] != want {
			t.Errorf("the bases are %+v, want %+v", result.Bases, want)
		}
	})
}

// uploads counts what is written to a registry.
type uploads struct {
	mu        sync.Mutex
	blobs     int
	manifests int
}

func (u *uploads) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		switch {
		case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/uploads/"):
			u.blobs++
		case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/"):
			u.manifests++
		}
		u.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (u *uploads) take() (blobs, manifests int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	blobs, manifests = u.blobs, u.manifests
	u.blobs, u.manifests = 0, 0
	return blobs, manifests
}

// A registry takes an image's configuration as a blob: the one that a change
// of the base alone costs.
func TestNewBaseUploadsNoLayer(t *testing.T) {
	t.Parallel()
	b := onBuildkitd(t)
	var count uploads
	b.registry = newRegistry(t, count.guard)
	push := func() v1.Image {
		base := randomImage(t)
		must(t, crane.Push(base, b.registry+"/base:1", crane.Insecure))
		count.take()
		return base
	}
	push()
	built := b.builder(t)
	r := b.request(t, builder.Recipe{}, map[string]string{
		"Dockerfile": "FROM " + b.registry + "/base:1\nCOPY --link page.html /srv/\nENV A=b\n", "page.html": "ahoy",
	})
	r.Time = committed
	first, _ := build(t, built, r)
	if blobs, manifests := count.take(); blobs != 2 || manifests == 0 {
		t.Errorf("the first build uploads %d blobs and %d manifests", blobs, manifests)
	}
	base := push()
	second, _ := build(t, built, r)
	if blobs, manifests := count.take(); blobs != 1 || manifests == 0 {
		t.Errorf("with a new base the build uploads %d blobs and %d manifests", blobs, manifests)
	}
	ours := layers(t, second)
	if want := append(layers(t, base), layers(t, first)[len(ours)-1]); strings.Join(ours, " ") != strings.Join(want, " ") {
		t.Errorf("the layers are %s, want %s", ours, want)
	}
}
