package docker_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

func TestFetchTakesTheNearestCredentials(t *testing.T) { //nolint:paralleltest // the environment is the process's
	g, at := newGate(t), lab.Ships(t, 1)[0]
	tag := g.tag(t, at) // the Engine asks no registry for a digest that it has seen
	good, bad := &deployer.Login{User: "ship", Password: "secret"}, &deployer.Login{User: "ship", Password: "guess"}
	wrongly := func(string) (string, string, bool) { return "ship", "guess", true }
	nobody := func(string) (string, string, bool) { return "", "", false }
	config := t.TempDir()
	t.Setenv("DOCKER_CONFIG", config)
	fetch := func(o docker.Options, login *deployer.Login) error {
		return dial(t, at.Name, at.TCP, o).Fetch(t.Context(), tag, login, nil)
	}
	for name, denied := range map[string]error{
		"nobody's":           fetch(docker.Options{}, nil),
		"a wrong login":      fetch(docker.Options{Auth: g.login}, bad),
		"a ship's wrong one": fetch(docker.Options{Auth: wrongly}, nil),
	} {
		if !errors.Is(denied, batuta.Denied) {
			t.Errorf("%s: %v", name, denied)
		}
	}
	must(t, fetch(docker.Options{Auth: wrongly}, good))
	must(t, fetch(docker.Options{Auth: g.login}, nil))
	logins := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, g.host, base64.StdEncoding.EncodeToString([]byte("ship:secret")))
	must(t, os.WriteFile(filepath.Join(config, "config.json"), []byte(logins), 0o600))
	must(t, fetch(docker.Options{}, nil))
	must(t, fetch(docker.Options{Auth: nobody}, nil))
	if err := fetch(docker.Options{Auth: wrongly}, nil); !errors.Is(err, batuta.Denied) {
		t.Errorf("a ship's wrong one beside a right one: %v", err)
	}
}

// tag is busybox as the gate has it, by a tag that the ship forgets when t
// ends.
func (g *gate) tag(t *testing.T, at lab.Ship) string {
	t.Helper()
	tag, engine := g.host+"/library/busybox:latest", raw(t, at.Endpoint)
	t.Cleanup(func() {
		_, _ = engine.ImageRemove(context.WithoutCancel(t.Context()), tag, image.RemoveOptions{}) // if it is there
	})
	return tag
}

func TestFetchedTagIsFound(t *testing.T) {
	t.Parallel()
	g, at := newGate(t), lab.OwnShips(t, 1)[0]
	ship := dial(t, at.Name, at.TCP, docker.Options{Auth: g.login})
	tag := g.host + "/library/busybox"
	if id, err := ship.Find(t.Context(), tag); err != nil || id != "" {
		t.Errorf("found before: %q, %v", id, err)
	}
	var told []int
	must(t, ship.Fetch(t.Context(), tag, nil, func(percent int) { told = append(told, percent) }))
	if !slices.IsSorted(told) || len(told) < 2 || told[len(told)-1] != 100 {
		t.Errorf("progress: %v", told)
	}
	id, err := ship.Find(t.Context(), tag+":latest")
	must(t, err)
	found, err := raw(t, at.Endpoint).ImageInspect(t.Context(), tag)
	must(t, err)
	if id != found.ID || !strings.HasPrefix(id, "sha256:") {
		t.Errorf("it is found as %q; want %q", id, found.ID)
	}
	if id, err := ship.Find(t.Context(), strings.TrimPrefix(id, "sha256:")[:12]); err != nil || id != "" {
		t.Errorf("a part of an id is taken for a name: %q, %v", id, err)
	}
	for _, bad := range []string{"", "No Reference", tag + ":"} {
		if _, err := ship.Find(t.Context(), bad); !errors.Is(err, batuta.Invalid) {
			t.Errorf("find %q: %v", bad, err)
		}
		if err := ship.Fetch(t.Context(), bad, nil, nil); !errors.Is(err, batuta.Invalid) {
			t.Errorf("fetch %q: %v", bad, err)
		}
	}
	if err := ship.Fetch(t.Context(), tag+":none", nil, nil); !errors.Is(err, batuta.NotFound) {
		t.Errorf("a tag that is missing: %v", err)
	}
}
