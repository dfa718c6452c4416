package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"batuta"
	"batuta/internal/lab"
)

// pushTeller pushes a web server that says the text to a registry.
func pushTeller(t *testing.T, image, text string) {
	t.Helper()
	base, err := crane.Pull(lab.Bases(t, lab.Busybox).Loopback+"/library/busybox", crane.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	file, err := base.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config := file.Config
	config.Cmd = []string{"/bin/busybox", "sh", "-c", fmt.Sprintf("mkdir -p /www; echo %q >/www/index.html; exec httpd -f -p 8080 -h /www", text)}
	config.StopSignal = "SIGKILL" // as the first process it would wait out any other
	made, err := mutate.Config(base, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := crane.Push(made, image, crane.Insecure); err != nil {
		t.Fatal(err)
	}
}

// TestARealRegistry has a registry tell of an image that is pushed to it: a run
// follows, and QA has the new digest of the same tag.
func TestARealRegistry(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-notified")
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), "unused", fmt.Sprintf(`  %s:
    webhook_secrets: [%s]
    environments: {qa: {ships: {role: qa}}, production: {ships: {role: production}}}
`, app, hookSecret))
	t.Cleanup(func() { s.sweep(t, app) })
	s.serve(t)
	hub := lab.NotifyingRegistry(t, s.url+"/webhooks/"+string(app)+"/registry", http.Header{"Authorization": {"Bearer " + hookSecret}})
	pushTeller(t, hub+"/acme/teller:v1", "the first")
	s.decided(t, app, "/acme/teller:v1", "ignored: no run has read on.registry yet")

	w := s.newWorkingCopy(t, "static", app)
	w.edit("batuta.yml", "on: {", fmt.Sprintf("on: {registry: [\"%s/acme/*:v*\"], ", hub))
	w.edit("environments/qa.yml", "build: web", "image: "+hub+"/acme/teller:v1")
	s.succeeds(t, s.pushed(t, app, w).ID)
	s.answers(t, app, "qa", 1, "the first")
	s.decided(t, app, "refs/heads/main", "run 1")

	pushTeller(t, hub+"/acme/teller:latest", "the newest")
	s.decided(t, app, "/acme/teller:latest", "ignored: "+hub+"/acme/teller:latest not in on.registry")
	pushTeller(t, hub+"/acme/teller:v1", "the second")
	d := s.decided(t, app, "/acme/teller:v1", "run 2")
	if d.Forge != "distribution" || d.Event != "push" || !strings.Contains(d.Ref, "@sha256:") || d.Source == "" {
		t.Errorf("the event is kept as %+v", d)
	}
	run := s.succeeds(t, d.Run)
	if head := lab.Git(t, w.dir, "rev-parse", "HEAD"); run.Push.Forge != batuta.ByRegistry || string(run.Push.Revision) != head {
		t.Errorf("the run is of %+v, want the head %s", run.Push, head)
	}
	s.answers(t, app, "qa", 1, "the second")
	again, err := s.client.Redeliver(t.Context(), app, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, again.ID)
	all, err := s.client.Runs(t.Context(), app, "", 10)
	if err != nil || len(all) != 3 {
		t.Errorf("%d runs (%v), want 3: a pull, a layer or another tag started one", len(all), err)
	}
}

// decided waits for the delivery of a ref or an image with this decision.
func (s *site) decided(t *testing.T, app batuta.AppName, ref, decision string) (found batuta.Delivery) {
	t.Helper()
	lab.Wait(t, runTime, func() error {
		all, err := s.client.Deliveries(t.Context(), app, 100)
		for _, d := range all {
			if d.Decision == decision && strings.Contains(d.Ref, ref) {
				found = d
				return nil
			}
		}
		return fmt.Errorf("no delivery of %s was decided as %q (%v): %+v", ref, decision, err, all) //nolint:errorlint // often nil
	})
	return found
}
