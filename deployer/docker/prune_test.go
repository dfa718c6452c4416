package docker_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"batuta"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// newRegistry starts a registry where the ships reach it.
func newRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", lab.Machine+":0")
	must(t, err)
	must(t, server.Listener.Close())
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return listener.Addr().String()
}

// push makes an image that there is nowhere else.
func push(t *testing.T, repository string) batuta.Image {
	t.Helper()
	made, err := random.Image(64, 1)
	must(t, err)
	config, err := made.ConfigFile()
	must(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config.Cmd = "linux", "amd64", []string{"/none"}
	made, err = mutate.ConfigFile(made, config)
	must(t, err)
	digest, err := made.Digest()
	must(t, err)
	to, err := name.NewDigest(repository+"@"+digest.String(), name.Insecure)
	must(t, err)
	must(t, remote.Write(to, made, remote.WithContext(t.Context())))
	return batuta.Image{Repository: repository, Digest: batuta.Digest(digest.String())}
}

// references are all names that images have on a ship and that contain a word.
func references(t *testing.T, at lab.Ship, word string) []string {
	t.Helper()
	list, err := raw(t, at.Endpoint).ImageList(t.Context(), image.ListOptions{})
	must(t, err)
	var out []string
	for _, i := range list {
		for _, reference := range slices.Concat(i.RepoTags, i.RepoDigests) {
			if strings.Contains(reference, word) {
				out = append(out, reference)
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestPruneLeavesAllThatAnybodyNeeds(t *testing.T) {
	t.Parallel()
	at := lab.Ships(t, 1)[0]
	engine := raw(t, at.Endpoint)
	ship := dial(t, at.Name, at.TCP, docker.Options{})
	host := newRegistry(t)
	web, tool := host+"/portal/web", host+"/portal/web-tool"
	kept, used, old, shared, other := push(t, web), push(t, web), push(t, web), push(t, web), push(t, tool)
	for _, i := range []batuta.Image{kept, used, old, shared, other} {
		must(t, ship.Pull(t.Context(), i))
	}
	must(t, engine.ImageTag(t.Context(), old.String(), web+":latest"))
	must(t, engine.ImageTag(t.Context(), shared.String(), host+"/mine:1"))
	made, err := engine.ContainerCreate(t.Context(), &container.Config{Image: used.String()}, nil, nil, nil, "")
	must(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		must(t, engine.ContainerRemove(ctx, made.ID, container.RemoveOptions{}))
		for _, left := range []string{kept.String(), used.String(), host + "/mine:1", other.String()} {
			_, err := engine.ImageRemove(ctx, left, image.RemoveOptions{})
			must(t, err)
		}
	})

	removed, err := ship.Prune(t.Context(), []string{web, host + "/portal"}, []batuta.Image{kept})
	must(t, err)
	want := []string{old.String(), shared.String()}
	slices.Sort(want)
	if diff := cmp.Diff(want, removed); diff != "" {
		t.Errorf("removed:\n%s", diff)
	}
	left := []string{kept.String(), used.String(), host + "/mine:1", other.String()}
	slices.Sort(left)
	if diff := cmp.Diff(left, references(t, at, host)); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
	if again, err := ship.Prune(t.Context(), []string{web}, []batuta.Image{kept}); err != nil || len(again) != 0 {
		t.Errorf("once more: %v, %v", again, err)
	}
}
