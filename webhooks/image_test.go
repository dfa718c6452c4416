package webhooks_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"batuta/webhooks"

	"github.com/google/go-cmp/cmp"
)

// How each registry sends, to /webhooks/portal/registry.
func registrySpeeches() map[string]func(secret string) (query string, h map[string]string) {
	return map[string]func(string) (string, map[string]string){
		"distribution": func(secret string) (string, map[string]string) {
			return "", map[string]string{"Content-Type": "application/vnd.docker.distribution.events.v2+json", "Authorization": "Bearer " + secret}
		},
		"harbor": func(secret string) (string, map[string]string) {
			return "", map[string]string{"Content-Type": "application/json", "Authorization": secret}
		},
		"dockerhub": func(secret string) (string, map[string]string) {
			return "?token=" + strings.ReplaceAll(secret, " ", "+"), map[string]string{"Content-Type": "application/json"}
		},
	}
}

// aPushedImage is a fixture of each registry, and what it is about.
var aPushedImage = map[string][2]string{
	"distribution": {"push.tag", "registry.example.edu/acme/base:v2@sha256:fea8895f450959fa676bcc1df0611ea93823a735a01205fd8622846041d0c7cf"},
	"harbor":       {"PUSH_ARTIFACT.tag", "hub.harbor.com/test-webhook/debian:latest@sha256:8a9e9863dbb6e10edb5adfe917c00da84e1700fa76e7ed02476aa6e6fb8ee0d8"},
	"dockerhub":    {"push", "docker.io/svendowideit/testhook:latest"},
}

// Each registry is recognised by what it sends, let in with either secret and no
// other, and the same event again is the same run. No secret is kept, nor what
// answers for the app.
func TestEveryRegistry(t *testing.T) {
	t.Parallel()
	for _, registry := range webhooks.Registries() {
		t.Run(registry.Name, func(t *testing.T) {
			t.Parallel()
			s, about := newServer(t), aPushedImage[registry.Name]
			_, body := fixture(t, "testdata/"+registry.Name+"/"+about[0]+".json")
			for _, c := range []struct {
				secret, answer string
				status         int
			}{
				{"wrong", `{"error":"no such app, or the signature is not right"}`, 401},
				{"new secret", `{"run":1,"duplicate":false}`, 202},
				{"old secret", `{"run":1,"duplicate":true}`, 202},
			} {
				query, h := registrySpeeches()[registry.Name](c.secret)
				if status, answer := s.deliver(t, "portal/registry"+query, h, body); status != c.status || answer != c.answer {
					t.Errorf("with the secret %q: %d %s, want %d %s", c.secret, status, answer, c.status, c.answer)
				}
			}
			if len(s.pushes) != 1 || s.pushes[0].Forge != "registry" || s.pushes[0].Ref != "" || s.pushes[0].Revision != "" || s.pushes[0].Message != about[1]+" was pushed" {
				t.Errorf("kept %+v", s.pushes)
			}
			for _, d := range s.log {
				if text := fmt.Sprintf("%+v", d); d.Forge != registry.Name || d.Ref != about[1] || d.Sender == "" || strings.Contains(text, "secret") || strings.Contains(text, "2141b5bi") {
					t.Errorf("the log has %s", text)
				}
			}
			if len(s.refusals) != 1 || s.refusals[0].App != "portal" || s.refusals[0].Forge != registry.Name {
				t.Errorf("refused %+v", s.refusals)
			}
		})
	}
}

// Each event of an envelope is a delivery of its own, by its own id.
func TestEnvelope(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, body := fixture(t, "testdata/distribution/push.several.json")
	_, h := registrySpeeches()["distribution"]("new secret")
	status, answer := s.deliver(t, "portal/registry", h, body)
	layer := "registry.example.edu/acme/base@sha256:3b3692957d439ac1928219a83fac91e7bf96c153725526874673ae1f2023f8d5"
	if want := `{"run":1,"duplicate":false,"more":[2],"ignored":"` + layer + ` has no tag; action pull"}`; status != 202 || answer != want {
		t.Errorf("%d %s, want %s", status, answer, want)
	}
	var got []string
	for _, d := range s.log {
		got = append(got, strings.Join([]string{d.Delivery, d.Event, d.Decision}, " | "))
	}
	want := []string{
		"asdf-asdf-asdf-asdf-0 | push | ignored: " + layer + " has no tag", "asdf-asdf-asdf-asdf-1 | push | ",
		"asdf-asdf-asdf-asdf-2 | push | ", "asdf-asdf-asdf-asdf-3 | pull | ignored: action pull",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	if status, answer := s.deliver(t, "portal", h, body); status != 401 && status != 400 {
		t.Errorf("at the forges' door: %d %s", status, answer)
	}
}

// Nobody gets in without the secret, whatever the header is called.
func TestRegistryWithoutASecret(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, body := fixture(t, "testdata/dockerhub/push.json")
	for app, h := range map[string]map[string]string{
		"portal/registry":                  {},
		"portal/registry?token=":           {},
		"open/registry?token=x":            {},
		"blank/registry?token=x":           {},
		"nobody/registry?token=new+secret": {},
		"portal/registry?token=wrong":      {"Batuta-Url-Token": "new secret"},
	} {
		if status, answer := s.deliver(t, app, h, body); status != 401 && status != 400 || len(s.pushes) > 0 {
			t.Errorf("%s: %d %s", app, status, answer)
		}
	}
}

// What names no image is refused, with its place.
func TestRegistriesReadRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		forge       webhooks.Forge
		body, words string
	}{
		{webhooks.Distribution(), `{"events":[{"target":{"repository":"Acme","tag":"v1"},"request":{"host":"r.example"}}]}`, "events[0]:"},
		{webhooks.Distribution(), `{"events":7}`, "events is a number"},
		{webhooks.DockerHub(), `{}`, "repository.repo_name"},
		{webhooks.DockerHub(), `{"push_data":{"tag":"-x"},"repository":{"repo_name":"a/b"}}`, "is not an image"},
		{webhooks.DockerHub(), `[]`, "should be an object"},
		{webhooks.Harbor(), `{"type":"PUSH_ARTIFACT","event_data":{"resources":[{"tag":"a b","resource_url":"h.example/a:a b"}]}}`, "resources[0]:"},
		{webhooks.Harbor(), `{"type":7}`, "type is a number"},
	} {
		if event, err := c.forge.Read("", []byte(c.body)); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s reads %s as %+v, %v, want %q", c.forge.Name, c.body, event, err, c.words)
		}
	}
}

// FuzzRegistries reads whatever somebody who has the secret may send.
func FuzzRegistries(f *testing.F) {
	for _, r := range webhooks.Registries() {
		_, body := fixture(f, "testdata/"+r.Name+"/"+aPushedImage[r.Name][0]+".json")
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, r := range webhooks.Registries() {
			event, err := r.Read("", body)
			if err == nil && len(event.Moves) == 0 && event.Ignored == "" {
				t.Errorf("%s reads %q as nothing", r.Name, body)
			}
			for _, m := range event.Moves {
				if text, _ := json.Marshal(m); strings.HasPrefix(m.Push.Ref, "refs/") || m.Push.Ref == "" {
					t.Errorf("%s reads %q as %s", r.Name, body, text)
				}
			}
		}
	})
}
