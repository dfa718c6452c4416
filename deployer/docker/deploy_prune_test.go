package docker_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// releaseOf is the nth image of a repository: busybox, with a label.
func releaseOf(t *testing.T, repository string, n int) batuta.Image {
	t.Helper()
	made, err := crane.Pull(busybox(t).String(), crane.Insecure)
	must(t, err)
	config, err := made.ConfigFile()
	must(t, err)
	config.Config.Labels = map[string]string{"release": fmt.Sprint(repository, n)}
	made, err = mutate.Config(made, config.Config)
	must(t, err)
	digest, err := made.Digest()
	must(t, err)
	must(t, crane.Push(made, repository+"@"+digest.String(), crane.Insecure, crane.WithContext(t.Context())))
	return batuta.Image{Repository: repository, Digest: batuta.Digest(digest.String())}
}

// strangers puts a stopped container, a network and an image on the ship that
// are nobody's, and look as ours do. That they cannot be removed in the end,
// because they are gone, fails the test.
func strangers(t *testing.T, at lab.Ship, host string, scope deployer.Scope) (theirs batuta.Image) {
	t.Helper()
	engine := raw(t, at.Endpoint)
	theirs = releaseOf(t, host+"/shop/web-tool", 0)
	must(t, dial(t, at.Name, at.TCP, docker.Options{}).Pull(t.Context(), theirs))
	name := string(scope.App) + "-" + string(scope.Environment)
	made, err := engine.ContainerCreate(t.Context(), &container.Config{Image: busybox(t).String()}, nil, nil, nil, name+"-web-9")
	must(t, err)
	net, err := engine.NetworkCreate(t.Context(), name+"-theirs", network.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		must(t, engine.ContainerRemove(ctx, made.ID, container.RemoveOptions{}))
		must(t, engine.NetworkRemove(ctx, net.ID))
		_, err := engine.ImageRemove(ctx, theirs.String(), image.RemoveOptions{})
		must(t, err)
	})
	return theirs
}

// TestDeploysKeepTheLastReleasesAndWhatIsNotOurs deploys four releases, and
// wants the images of the last two on the ship, and all that is somebody
// else's.
func TestDeploysKeepTheLastReleasesAndWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	at, host := lab.Ships(t, 1)[0], newRegistry(t)
	ship := dial(t, at.Name, at.TCP, docker.Options{})
	must(t, ship.Pull(t.Context(), busybox(t)))
	scope := deployer.Scope{App: "prune", Environment: batuta.EnvironmentName(strings.ToLower(rand.Text()[:12]))}
	theirs := strangers(t, at, host, scope)
	fleet := deployer.New(map[batuta.ShipName]deployer.Ship{at.Name: ship}, deployer.Options{})
	web := host + "/shop/web"
	var releases []batuta.Image
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		must(t, fleet.Down(ctx, scope))
		_, err := ship.Prune(ctx, []string{web}, nil)
		must(t, err)
	})
	for n := range 4 {
		releases = append(releases, releaseOf(t, web, n))
		want := resolveRelease(t, fleet, at, scope, releases[n])
		want.Own, want.Keep = []string{web}, releases[max(0, n-1):]
		plan, err := fleet.Plan(t.Context(), want)
		must(t, err)
		outcome, err := fleet.Apply(t.Context(), plan, func(e deployer.Event) { t.Log(e) })
		if err != nil || outcome.Status != batuta.Live {
			t.Fatalf("release %d: %v, %v", n+1, outcome, err)
		}
	}
	left := []string{releases[2].String(), releases[3].String(), theirs.String()}
	slices.Sort(left)
	if diff := cmp.Diff(left, references(t, at, host)); diff != "" {
		t.Errorf("images on the ship:\n%s", diff)
	}
}

func resolveRelease(t *testing.T, fleet *deployer.Fleet, at lab.Ship, scope deployer.Scope, of batuta.Image) deployer.Spec {
	t.Helper()
	doc, err := deployer.Parse("environments/qa.yml", []byte("batuta: 1\nservices:\n  web: {build: web, count: 1, command: [/bin/busybox, sleep, \"600\"], stop_timeout: 1s}\n"))
	must(t, err)
	want, err := doc.Resolve(deployer.Input{
		Scope: scope, Release: 1, Ships: []deployer.ShipInfo{{Name: at.Name, Address: at.Address}},
		Images: map[batuta.ImageName]batuta.Image{"web": of}, Current: fleet.Observe(t.Context(), scope).Containers,
	})
	must(t, err)
	return want
}
