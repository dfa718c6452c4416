package builder_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	docker "github.com/docker/docker/client"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"batuta"
	"batuta/builder"
	"batuta/internal/lab"
)

// bench is one BuildKit of the lab with a registry of its own, a place to
// build things.
type bench struct {
	endpoint string
	registry string // host:port
}

// onEach runs a test of the contract with each kind of BuildKit.
func onEach(t *testing.T, test func(t *testing.T, b bench)) {
	t.Parallel()
	for name, endpoint := range map[string]func(*testing.T) string{
		"docker":    func(t *testing.T) string { return "docker+" + lab.Docker(t, lab.Busybox) },
		"buildkitd": func(t *testing.T) string { lab.Bases(t, lab.Busybox); return lab.BuildKit(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, bench{endpoint: endpoint(t), registry: newRegistry(t, nil)})
		})
	}
}

// newRegistry starts a registry on the loopback address; guard may stand
// before it.
func newRegistry(t *testing.T, guard func(http.Handler) http.Handler) string {
	t.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if guard != nil {
		handler = guard(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// bridgeRegistry starts a registry where the ships reach it.
func bridgeRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	var err error
	must(t, server.Listener.Close())
	server.Listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", lab.Machine+":0")
	must(t, err)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// builder gives a builder for the bench; static images get busybox as their
// binary.
func (b bench) builder(t *testing.T, change ...func(*builder.Config)) *builder.Builder {
	t.Helper()
	config := builder.Config{Endpoint: b.endpoint, Insecure: true, Binary: "/bin/busybox"}
	for _, c := range change {
		c(&config)
	}
	built, err := builder.New(config)
	must(t, err)
	t.Cleanup(func() { must(t, built.Close()) })
	return built
}

// request asks for the image of a recipe, of a revision that nobody else
// builds, from the given files.
func (b bench) request(t *testing.T, recipe builder.Recipe, files map[string]string) builder.Request {
	t.Helper()
	id := make([]byte, 20)
	_, err := rand.Read(id)
	must(t, err)
	revision := hex.EncodeToString(id)
	app := "app-" + revision[:8]
	r := builder.Request{
		App: batuta.AppName(app), Image: "web", Revision: batuta.Revision(revision),
		Source: tree(t, files), Recipe: recipe, Repository: b.registry + "/" + app + "/web",
	}
	if address, ok := strings.CutPrefix(b.endpoint, "docker+"); ok {
		t.Cleanup(func() { removeImages(t, address, r.Repository) })
	}
	return r
}

// tree writes files into a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(content), 0o644))
	}
	return dir
}

// removeImages takes what builds left on a Docker Engine.
func removeImages(t *testing.T, address, repository string) {
	client, err := docker.NewClientWithOpts(docker.WithHost(address), docker.WithAPIVersionNegotiation())
	must(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	images, err := client.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", repository))})
	if err != nil {
		return // the ship is gone already, with all it had
	}
	for _, found := range images {
		for _, reference := range slices.Concat(found.RepoTags, found.RepoDigests) {
			if strings.HasPrefix(reference, repository) {
				_, _ = client.ImageRemove(ctx, reference, image.RemoveOptions{}) // the tag may have taken its digest along
			}
		}
	}
}

// build builds what must succeed, and gives the image as the registry has it.
func build(t *testing.T, b *builder.Builder, r builder.Request) (v1.Image, *output) {
	t.Helper()
	var log output
	built, err := b.Build(t.Context(), r, &log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if built.Image.Repository != r.Repository {
		t.Errorf("built %s, want an image of %s", built.Image, r.Repository)
	}
	pulled, err := crane.Pull(built.Image.String(), crane.Insecure)
	must(t, err)
	return pulled, &log
}

// buildFails builds what must fail with an error of the kind, and gives the
// error's text.
func buildFails(t *testing.T, b *builder.Builder, r builder.Request, kind batuta.Kind) string {
	t.Helper()
	var log output
	built, err := b.Build(t.Context(), r, &log)
	if err == nil {
		t.Fatalf("built %s, want an error\n%s", built.Image, log.String())
	}
	if !errors.Is(err, kind) {
		var e *batuta.Error
		errors.As(err, &e)
		t.Fatalf("the error is %+v, want %q: %v\n%s", e, kind, err, log.String())
	}
	return err.Error()
}

// content gives an image's files by name, directories without content.
func content(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	files := map[string]string{}
	eachEntry(t, image, func(h *tar.Header, r io.Reader) {
		text, err := io.ReadAll(r)
		must(t, err)
		files[h.Name] = string(text)
	})
	return files
}

// eachEntry visits the entries of all of an image's layers.
func eachEntry(t *testing.T, image v1.Image, visit func(*tar.Header, io.Reader)) {
	t.Helper()
	layers, err := image.Layers()
	must(t, err)
	for _, layer := range layers {
		r, err := layer.Uncompressed()
		must(t, err)
		defer r.Close()
		archive := tar.NewReader(r)
		for {
			h, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			visit(h, archive)
		}
	}
}

func digest(t *testing.T, image v1.Image) string {
	t.Helper()
	d, err := image.Digest()
	must(t, err)
	return d.String()
}

// output is a log that may be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the log has the text.
func (o *output) await(t *testing.T, text string) {
	t.Helper()
	lab.Wait(t, time.Minute, func() error {
		if !strings.Contains(o.String(), text) {
			return fmt.Errorf("the log lacks %q:\n%s", text, o)
		}
		return nil
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// randomImage is an image for this machine that nobody else has.
func randomImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(1024, 2)
	must(t, err)
	image, err = mutate.ConfigFile(image, configOf(t, image))
	must(t, err)
	return image
}

// configOf is an image's configuration, for this machine.
func configOf(t *testing.T, image v1.Image) *v1.ConfigFile {
	t.Helper()
	config, err := image.ConfigFile()
	must(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	return config
}

func imageDigest(t *testing.T, image v1.Image) batuta.Digest {
	t.Helper()
	return batuta.Digest(digest(t, image))
}

// layers gives the digests of an image's layers, the lowest first.
func layers(t *testing.T, image v1.Image) (digests []string) {
	t.Helper()
	all, err := image.Layers()
	must(t, err)
	for _, layer := range all {
		d, err := layer.Digest()
		must(t, err)
		digests = append(digests, d.String())
	}
	return digests
}

// engineAt is a Docker Engine's client until t ends.
func engineAt(t *testing.T, endpoint string) *docker.Client {
	t.Helper()
	client, err := docker.NewClientWithOpts(docker.WithHost(endpoint), docker.WithAPIVersionNegotiation())
	must(t, err)
	t.Cleanup(func() { must(t, client.Close()) })
	return client
}

// pull has an Engine pull an image, to its end.
func pull(t *testing.T, client *docker.Client, reference string) {
	t.Helper()
	answer, err := client.ImagePull(t.Context(), reference, image.PullOptions{})
	must(t, err)
	text, err := io.ReadAll(answer)
	must(t, err)
	must(t, answer.Close())
	if strings.Contains(string(text), `"error"`) {
		t.Errorf("pull %s: %s", reference, text)
	}
}

// pulled is the image of a build, as the registry has it.
func pulled(t *testing.T, result builder.Result) v1.Image {
	t.Helper()
	image, err := crane.Pull(result.Image.String(), crane.Insecure)
	must(t, err)
	return image
}
