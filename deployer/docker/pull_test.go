package docker_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/image"

	"batuta"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// gate is a registry that wants a password, in front of the lab's. While it is
// held, manifests have to wait.
type gate struct {
	*httptest.Server
	host string
	held sync.RWMutex

	mu    sync.Mutex
	asked int // manifests
}

func newGate(t *testing.T) *gate {
	t.Helper()
	behind, err := url.Parse("http://" + lab.Bases(t, lab.Busybox).Loopback)
	must(t, err)
	pass := httputil.NewSingleHostReverseProxy(behind)
	g := &gate{}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case user != "ship" || password != "secret":
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`))
			return
		case strings.Contains(r.URL.Path, "/manifests/"):
			g.mu.Lock()
			g.asked++
			g.mu.Unlock()
			g.held.RLock()
			g.held.RUnlock() // to pass is all that is wanted
		}
		pass.ServeHTTP(w, r)
	}))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", lab.Machine+":0")
	must(t, err)
	must(t, g.Listener.Close())
	g.Listener = listener
	g.host = listener.Addr().String()
	g.Start()
	t.Cleanup(g.Close)
	return g
}

func (g *gate) manifests() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

// image is busybox as the gate has it; the ship forgets it when t ends.
func (g *gate) image(t *testing.T, at lab.Ship) batuta.Image {
	t.Helper()
	i := batuta.Image{Repository: g.host + "/library/busybox", Digest: busybox(t).Digest}
	engine := raw(t, at.Endpoint)
	t.Cleanup(func() {
		_, _ = engine.ImageRemove(context.WithoutCancel(t.Context()), i.String(), image.RemoveOptions{}) // if it is there
	})
	return i
}

// login knows the gate's password.
func (g *gate) login(host string) (user, password string, ok bool) {
	return "ship", "secret", host == g.host
}

func TestPullWithCredentials(t *testing.T) {
	t.Parallel()
	g, at := newGate(t), lab.Ships(t, 1)[0]
	i := g.image(t, at)
	for name, o := range map[string]docker.Options{
		"none":  {},
		"other": {Auth: func(string) (string, string, bool) { return "ship", "guess", true }},
	} {
		if err := dial(t, at.Name, at.TCP, o).Pull(t.Context(), i); !errors.Is(err, batuta.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ship := dial(t, at.Name, at.TCP, docker.Options{Auth: g.login})
	must(t, ship.Pull(t.Context(), i))
	asked := g.manifests()
	must(t, ship.Pull(t.Context(), i))
	if g.manifests() != asked {
		t.Error("asked for an image that is there")
	}
	i.Digest = batuta.Digest("sha256:" + strings.Repeat("1", 64))
	if err := ship.Pull(t.Context(), i); !errors.Is(err, batuta.NotFound) {
		t.Errorf("a wrong digest: %v", err)
	}
}

func TestPullOfWhatCannotBe(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	nobody := net.JoinHostPort(lab.Machine, strconv.Itoa(lab.FreePort(t, lab.Machine)))
	for _, test := range []struct {
		image batuta.Image
		kind  batuta.Kind
	}{
		{batuta.Image{Repository: nobody + "/app", Digest: b.image.Digest}, batuta.Unavailable},
		{batuta.Image{Repository: strings.Replace(b.image.Repository, "busybox", "nobox", 1), Digest: b.image.Digest}, batuta.NotFound},
		{batuta.Image{Repository: b.image.Repository, Digest: "latest"}, batuta.Invalid},
		{batuta.Image{Repository: "No Repository", Digest: b.image.Digest}, batuta.Invalid},
	} {
		if err := b.Pull(t.Context(), test.image); !errors.Is(err, test.kind) || !strings.Contains(err.Error(), "ship "+string(b.at.Name)) {
			t.Errorf("%s: %v; want %s", test.image, err, test.kind)
		}
	}
}

func TestPullsOfOneImageAreOne(t *testing.T) {
	t.Parallel()
	g, at := newGate(t), lab.Ships(t, 1)[0]
	i := g.image(t, at)
	ship := dial(t, at.Name, at.TCP, docker.Options{Auth: g.login})
	g.held.Lock()
	done := make(chan error)
	impatient, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- ship.Pull(impatient, i) }()
	lab.Wait(t, patient, func() error { return sayUnless(g.manifests() > 0, "nobody asked") })
	for range 4 {
		go func() { done <- ship.Pull(t.Context(), i) }()
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left: %v", err)
	}
	g.held.Unlock()
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestRemovedImagesAreThoseWithThePrefix(t *testing.T) {
	t.Parallel()
	g, b := newGate(t), newBench(t)
	ship := dial(t, b.at.Name, b.at.TCP, docker.Options{Auth: g.login})
	i := g.image(t, b.at)
	must(t, ship.Pull(t.Context(), i))
	must(t, ship.RemoveImages(t.Context(), g.host+"/library/"))
	engine := raw(t, b.at.Endpoint)
	if _, err := engine.ImageInspect(t.Context(), i.String()); err == nil {
		t.Error("it is still there")
	}
	if _, err := engine.ImageInspect(t.Context(), b.image.String()); err != nil {
		t.Errorf("another one is gone: %v", err)
	}
}
