package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// becomes replaces all files of a working copy, and commits.
func (w *workingCopy) becomes(files map[string]string) {
	w.t.Helper()
	lab.Git(w.t, w.dir, "rm", "-r", "--quiet", "--force", "--ignore-unmatch", ".")
	for name, text := range files {
		path := filepath.Join(w.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	lab.Git(w.t, w.dir, "add", "--all")
	lab.Git(w.t, w.dir, "commit", "--quiet", "--message", "All files")
}

// layers lists the blobs of the server's registry that are neither manifests
// nor configurations: what is large in an image.
func (s *site) layers(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	root := filepath.Join(s.dir, "data", "registry")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() != "data" || !strings.Contains(path, "/blobs/sha256/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && !strings.HasPrefix(string(text), "{") {
			found[filepath.Base(filepath.Dir(path))] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// second waits for the second run of an app.
func (s *site) second(t *testing.T, app batuta.AppName) batuta.Run {
	t.Helper()
	var runs []batuta.Run
	lab.Wait(t, runTime, func() (err error) {
		if runs, err = s.client.Runs(t.Context(), app, "", 2); err == nil && len(runs) != 2 {
			err = fmt.Errorf("%s has %d runs", app, len(runs))
		}
		return err
	})
	return runs[0]
}

// TestABaseOfOurOwn pushes an app whose image another is built from: the other
// is rebuilt from the new bytes and deployed by itself, and none of its own
// layers goes to the registry again.
func TestABaseOfOurOwn(t *testing.T) {
	t.Parallel()
	const base, app, stranger = batuta.AppName("ground-base"), batuta.AppName("ground-shop"), batuta.AppName("ground-stranger")
	builder := lab.OwnBuildKit(t, lab.Busybox)
	const qa = "environments: {qa: {ships: {role: qa}}}"
	s := newSite(t, builder.Address, lab.Ships(t, 2), base, fmt.Sprintf("  %s: {bases: [%s], %s}\n  %s: {%s}\n", app, base, qa, stranger, qa))
	t.Cleanup(func() { s.sweep(t, app) })
	if err := builder.Plain(t.Context(), s.address); err != nil {
		t.Fatal(err)
	}
	s.serve(t)

	below := s.newWorkingCopy(t, "static", base)
	below.becomes(map[string]string{
		"batuta.yml":          "app: ground-base\nimages: {base: {}}\npromote: [qa]\n",
		"Dockerfile":          "FROM busybox:latest\nCOPY --link motd /www/motd\n",
		"motd":                "the first",
		"environments/qa.yml": "batuta: 1\nservices: {}\n",
	})
	s.succeeds(t, s.pushed(t, base, below).ID)
	above := s.newWorkingCopy(t, "static", app)
	shop := map[string]string{
		"batuta.yml":          "app: ground-shop\nimages: {web: {contexts: {base: app:ground-base/base}}}\npromote: [qa]\n",
		"Dockerfile":          "FROM base\nCOPY --link page /www/index.html\nCMD [\"/bin/busybox\", \"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n",
		"page":                "Welcome to the shop",
		"environments/qa.yml": "batuta: 1\nservices:\n  web: {build: web, count: 1, ports: {http: 8080}, stop_timeout: 1s, lifecycle: {running: [{type: http, port: http, path: /motd}]}}\n",
	}
	above.becomes(shop)
	s.succeeds(t, s.pushed(t, app, above).ID)
	s.web(t, app, "qa", 1, "Welcome to the shop")
	before := s.layers(t)

	below.edit("motd", "the first", "the second")
	changed := s.succeeds(t, s.pushed(t, base, below).ID)
	rebuilt := s.second(t, app)
	s.succeeds(t, rebuilt.ID)
	if rebuilt.Push.Forge != "base" || rebuilt.Push.Sender != fmt.Sprintf("base of run %d", changed.ID) {
		t.Errorf("the run of the dependant: %+v", rebuilt.Push)
	}
	web := s.web(t, app, "qa", 1, "Welcome to the shop")
	if body, err := get(t.Context(), web[0].URLs[0]+"/motd"); err != nil || body != "the second" {
		t.Errorf("the page of the base is %q (%v)", body, err)
	}
	fresh := 0
	for layer := range s.layers(t) {
		if !before[layer] {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("the registry has %d new layers, want the base's alone", fresh)
	}
	graph, err := s.client.Bases(t.Context(), app)
	if err != nil || len(graph) != 1 || !slices.ContainsFunc(graph[0].Bases, func(f pipeline.Footing) bool { return f.App == base && f.Newest }) {
		t.Errorf("the graph: %+v (%v)", graph, err)
	}
	why, err := s.client.Why(t.Context(), app, "qa")
	if err != nil || len(why.Containers) != 1 || why.Containers[0].Built == nil || why.Containers[0].Built.Run != rebuilt.ID {
		t.Errorf("why: %+v (%v)", why, err)
	}

	alien := s.newWorkingCopy(t, "static", stranger)
	shop["batuta.yml"] = strings.ReplaceAll(shop["batuta.yml"], "ground-shop", "ground-stranger")
	alien.becomes(shop)
	if run := s.ended(t, s.pushed(t, stranger, alien).ID); run.Status != batuta.RunFailed || !strings.Contains(run.Error, "ground-stranger may not be built from images of ground-base") {
		t.Errorf("without a grant: %s: %s", run.Status, run.Error)
	}
	shop["batuta.yml"] = "app: ground-stranger\npromote: [qa]\nimages: {web: {}}\n"
	shop["Dockerfile"] = "FROM " + s.address + "/ground-base/base:" + string(changed.Push.Revision) + "\n"
	alien.becomes(shop)
	if run := s.ended(t, s.pushed(t, stranger, alien).ID); run.Status != batuta.RunFailed || !strings.Contains(run.Error, "does not let this app's builds read the image") {
		t.Errorf("by its address: %s: %s", run.Status, run.Error)
	}
}

// TestABaseOfAStranger moves the tag of an image in a registry elsewhere, that
// an app is built from: the server asks about it and rebuilds the app.
func TestABaseOfAStranger(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("ground-guest")
	builder := lab.OwnBuildKit(t, lab.Busybox)
	s := newSite(t, builder.Address, lab.Ships(t, 2), "unused", fmt.Sprintf("  %s: {webhook_secrets: [%s], environments: {qa: {ships: {role: qa}}}}\nbases: {every: 1m}\n", app, hookSecret))
	t.Cleanup(func() { s.sweep(t, app) })
	s.serve(t)
	hub := lab.NotifyingRegistry(t, s.url+"/webhooks/"+string(app)+"/registry", http.Header{"Authorization": {"Bearer " + hookSecret}})
	for _, plain := range []string{s.address, hub} {
		if err := builder.Plain(t.Context(), plain); err != nil {
			t.Fatal(err)
		}
	}
	pushTeller(t, hub+"/acme/teller:v1", "the first")
	above := s.newWorkingCopy(t, "static", app)
	above.becomes(map[string]string{
		"batuta.yml":          "app: ground-guest\nimages: {web: {}}\npromote: [qa]\n",
		"Dockerfile":          "FROM " + hub + "/acme/teller:v1\nCOPY --link page /www/page.html\n",
		"page":                "Welcome",
		"environments/qa.yml": "batuta: 1\nservices:\n  web: {build: web, count: 1, ports: {http: 8080}, stop_timeout: 1s, lifecycle: {running: [{type: http, port: http, path: /}]}}\n",
	})
	s.succeeds(t, s.pushed(t, app, above).ID)
	s.answers(t, app, "qa", 1, "the first")

	pushTeller(t, hub+"/acme/teller:v1", "the second")
	rebuilt := s.second(t, app)
	s.succeeds(t, rebuilt.ID)
	if rebuilt.Push.Forge != "base" || !strings.Contains(rebuilt.Push.Delivery, hub+"/acme/teller:v1 since ") {
		t.Errorf("the run of the dependant: %+v", rebuilt.Push)
	}
	s.answers(t, app, "qa", 1, "the second")
}
