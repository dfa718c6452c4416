package deployer_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// dock is a fleet of real ships, and a scope on them that is the test's own.
type dock struct {
	*deployer.Fleet
	infos []deployer.ShipInfo
	scope deployer.Scope
	image batuta.Image
}

func newDock(t *testing.T, ships int) *dock {
	d := &dock{scope: deployer.Scope{App: "fleet", Environment: batuta.EnvironmentName(strings.ToLower(rand.Text()[:12]))}, image: busybox(t)}
	reached, addresses := map[batuta.ShipName]deployer.Ship{}, map[batuta.ShipName]string{}
	for _, s := range lab.Ships(t, ships) {
		ship, err := docker.Dial(s.Name, s.Endpoint, docker.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := ship.Close(); err != nil {
				t.Error(err)
			}
		})
		reached[s.Name], addresses[s.Name] = ship, s.Address
		d.infos = append(d.infos, deployer.ShipInfo{Name: s.Name, Address: s.Address})
	}
	d.Fleet = deployer.New(reached, deployer.Options{Addresses: addresses})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := d.Down(ctx, d.scope); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	return d
}

// busybox is the lab's image, by digest.
func busybox(t *testing.T) batuta.Image { return pinned(t, lab.Busybox, "latest") }

// pinned is an image of the lab's registry, by digest.
func pinned(t *testing.T, base lab.Base, tag string) batuta.Image {
	t.Helper()
	registry := lab.Bases(t, base)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, fmt.Sprintf("http://%s/v2/library/%s/manifests/%s", registry.Bridge, base, tag), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return batuta.Image{Repository: registry.Bridge + "/library/" + string(base), Digest: batuta.Digest(resp.Header.Get("Docker-Content-Digest"))}
}

// deploy runs a script of busybox's shell as the only service.
func (d *dock) deploy(t *testing.T, script string) (deployer.Outcome, error) {
	t.Helper()
	doc, err := deployer.Parse("environments/qa.yml", fmt.Appendf(nil, `
batuta: 1
services:
  web:
    build: busybox
    count: %d
    command: [/bin/busybox, sh, -c, %q]
    ports: {http: 8080}
    stop_timeout: 1s
    env: {TOKEN: "${secret:token}"}
    lifecycle: {running: [{type: http, path: /up, max_wait: 20s}]}
`, len(d.infos), script))
	if err != nil {
		t.Fatal(err)
	}
	want, err := doc.Resolve(deployer.Input{
		Scope: d.scope, Release: 1, Ships: d.infos, Images: map[batuta.ImageName]batuta.Image{"busybox": d.image},
		Secret:  func(string) (string, bool) { return "hush-hush", true },
		Current: d.Observe(t.Context(), d.scope).Containers,
	})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := d.Plan(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	return d.Apply(t.Context(), plan, func(e deployer.Event) { t.Log(e) })
}

func serving(page string) string {
	return "/bin/busybox mkdir -p /www; echo " + page + " >/www/up; exec /bin/busybox httpd -f -p 8080 -h /www"
}

// urls are where the service answers now.
func (d *dock) urls(t *testing.T) []string {
	t.Helper()
	states, unreachable := d.Status(t.Context(), d.scope)
	var out []string
	for _, s := range states {
		out = append(out, s.URLs...)
	}
	if len(out) != len(d.infos) || len(states) != len(d.infos) || len(unreachable) != 0 {
		t.Fatalf("status = %+v, unreachable %v; want one container with a URL on each ship", states, unreachable)
	}
	return out
}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/up", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

func TestABadReleaseOnRealShipsHurtsNobody(t *testing.T) {
	t.Parallel()
	d := newDock(t, 2)
	if outcome, err := d.deploy(t, serving("first")); err != nil || outcome.Status != batuta.Live {
		t.Fatalf("the first release: %v, %v", outcome, err)
	}
	urls := d.urls(t)

	ctx, enough := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for _, url := range urls {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := get(ctx, url); err != nil && ctx.Err() == nil {
					t.Errorf("GET %s, after %d answers: %v", url, n, err)
					return
				}
			}
		})
	}
	outcome, err := d.deploy(t, "echo no database at $TOKEN >&2; exit 4")
	if outcome.Status != batuta.RolledBack || !errors.Is(err, batuta.Unhealthy) ||
		!strings.Contains(err.Error(), "exited 4") || !strings.Contains(err.Error(), "no database at ***") {
		t.Errorf("the bad release: %v, %v", outcome, err)
	}
	enough()
	clients.Wait()
	if now := d.urls(t); strings.Join(now, " ") != strings.Join(urls, " ") {
		t.Errorf("it answers at %v, and answered at %v", now, urls)
	}

	if outcome, err := d.deploy(t, serving("second")); err != nil || outcome.Status != batuta.Live {
		t.Fatalf("the next good release: %v, %v", outcome, err)
	}
	for _, url := range d.urls(t) {
		if err := get(t.Context(), url); err != nil {
			t.Errorf("GET %s: %v", url, err)
		}
	}
}
