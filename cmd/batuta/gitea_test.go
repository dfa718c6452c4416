package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/lab"
	"batuta/internal/lab/gitea"
)

// TestARealForge has a Gitea tell of a push by its own webhook, and show at
// the commit how the run went.
func TestARealForge(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-gitea")
	forge, ships := gitea.Start(t), lab.Ships(t, 2)
	repository := fmt.Sprintf("/repos/%s/%s", gitea.User, app)
	forge.Ask(t, http.MethodPost, "/user/repos", map[string]any{"name": app, "private": true, "default_branch": "main"}, nil)

	s := newSite(t, lab.BuildKit(t), ships, "unused", fmt.Sprintf(`  %s:
    repository: %s/%s/%[1]s.git
    credentials: {user: %[3]s, password: %s}
    webhook_secrets: [%s]
    status: {forge: gitea, token: %s}
    environments: {qa: {ships: {role: qa}}, production: {ships: {role: production}}}
`, app, forge.URL, gitea.User, forge.Token, hookSecret, forge.Token))
	t.Cleanup(func() { s.sweep(t, app) })
	s.serve(t)
	forge.Ask(t, http.MethodPost, repository+"/hooks", map[string]any{
		"type": "gitea", "active": true, "events": []string{"push"},
		"config": map[string]string{"url": s.url + "/webhooks/" + string(app), "content_type": "json", "secret": hookSecret},
	}, nil)

	w := s.newWorkingCopy(t, "static", app)
	at, err := url.Parse(forge.URL)
	if err != nil {
		t.Fatal(err)
	}
	at.User, at.Path = url.UserPassword(gitea.User, gitea.Password), fmt.Sprintf("/%s/%s.git", gitea.User, app)
	lab.Git(t, w.dir, "remote", "set-url", "origin", at.String())
	w.push()
	head := batuta.Revision(lab.Git(t, w.dir, "rev-parse", "HEAD"))

	d := s.firstDelivery(t, app)
	if d.Forge != "gitea" || d.Event != "push" || d.Ref != "refs/heads/main" || d.After != head || d.Sender != gitea.User || !strings.HasSuffix(d.Clone, "/"+string(app)+".git") {
		t.Errorf("the push is kept as %+v", d)
	}
	s.succeeds(t, d.Run)
	s.answers(t, app, "qa", 1, "Hello from Batuta")
	lab.Wait(t, runTime, func() error {
		var shown struct {
			State    string
			Statuses []struct {
				Context string
				Link    string `json:"target_url"`
			}
		}
		forge.Ask(t, http.MethodGet, repository+"/commits/"+string(head)+"/status", nil, &shown)
		if shown.State != "success" || len(shown.Statuses) != 1 || shown.Statuses[0].Link != fmt.Sprintf("%s/runs/%d", s.url, d.Run) {
			return fmt.Errorf("the commit shows %+v", shown)
		}
		return nil
	})

	for _, message := range []string{"Say more", "Say it better"} {
		lab.Git(t, w.dir, "commit", "--quiet", "--allow-empty", "--message", message)
	}
	w.push()
	again := s.second(t, app)
	s.succeeds(t, again.ID)
	if log := s.log(t, again.ID); !strings.Contains(log, "Say more") || !strings.Contains(log, "Say it better") {
		t.Errorf("the plan names no commits:\n%s", log)
	}
}

// firstDelivery waits for the first delivery to an app.
func (s *site) firstDelivery(t *testing.T, app batuta.AppName) (d batuta.Delivery) {
	t.Helper()
	lab.Wait(t, runTime, func() error {
		all, err := s.client.Deliveries(t.Context(), app, 10)
		if err != nil || len(all) != 1 {
			return fmt.Errorf("%d deliveries (%v), want one", len(all), err) //nolint:errorlint // often nil
		}
		d = all[0]
		return nil
	})
	return d
}
