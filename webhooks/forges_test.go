package webhooks_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"batuta/webhooks"
)

// speech is how a forge sends a delivery, signed with a secret.
type speech func(event string, body []byte, secret string) map[string]string

func bearing(headers func(body []byte, secret string) map[string]string, eventHeader string) speech {
	return func(event string, body []byte, secret string) map[string]string {
		h := headers(body, secret)
		if eventHeader != "" {
			h[eventHeader] = event
		}
		h["Content-Type"] = "application/json"
		return h
	}
}

// standard signs as Standard Webhooks says, at the time.
func standard(body []byte, secret string, at time.Time) map[string]string {
	return signedAs("d-1", body, secret, at)
}

func signedAs(id string, body []byte, secret string, at time.Time) map[string]string {
	stamp := fmt.Sprint(at.Unix())
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		key = []byte(secret)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	return map[string]string{
		"Webhook-Id": id, "Webhook-Timestamp": stamp,
		"Webhook-Signature": "v1,bm90IHRoaXMgb25l v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}
}

func basic(password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("hook:"+password))
}

// speeches are the forges' ways of sending, by the folder of their fixtures.
func speeches() map[string]speech {
	giteaLike := func(header string) speech {
		return bearing(func(body []byte, secret string) map[string]string {
			h := map[string]string{"X-" + header + "-Delivery": "d-1", "X-" + header + "-Signature": sign(body, secret)}
			if header != "Gogs" { // they also send what those send that they were made of
				maps.Copy(h, map[string]string{
					"X-Gitea-Delivery": "d-1", "X-Gitea-Signature": sign(body, secret), "X-Gitea-Event": "push",
					"X-Gogs-Event": "push", "X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + sign(body, secret),
				})
			}
			return h
		}, "X-"+header+"-Event")
	}
	return map[string]speech{
		"github": func(event string, body []byte, secret string) map[string]string {
			return github(event, "d-1", body, secret)
		},
		"gitea": giteaLike("Gitea"), "forgejo": giteaLike("Forgejo"), "gogs": giteaLike("Gogs"),
		"gitlab": bearing(func(_ []byte, secret string) map[string]string {
			return map[string]string{"X-Gitlab-Token": secret, "X-Gitlab-Event-UUID": "d-1"}
		}, "X-Gitlab-Event"),
		"bitbucket": bearing(func(body []byte, secret string) map[string]string {
			return map[string]string{"X-Request-UUID": "d-1", "X-Hook-UUID": "hook", "X-Hub-Signature": "sha256=" + sign(body, secret)}
		}, "X-Event-Key"),
		"bitbucket-server": bearing(func(body []byte, secret string) map[string]string {
			return map[string]string{"X-Request-Id": "d-1", "X-Hub-Signature": "sha256=" + sign(body, secret)}
		}, "X-Event-Key"),
		"generic": bearing(func(body []byte, secret string) map[string]string {
			return map[string]string{"X-Batuta-Delivery": "d-1", "X-Batuta-Signature-256": "sha256=" + sign(body, secret)}
		}, "X-Batuta-Event"),
		"azure": bearing(func(_ []byte, secret string) map[string]string {
			return map[string]string{"Authorization": basic(secret), "User-Agent": "VSServices/17.0"}
		}, ""),
	}
}

// aPush is a fixture of each forge that is a push of one branch.
var aPush = map[string]string{
	"github": "push.branch", "gitea": "push.branch", "forgejo": "push.branch", "gogs": "push.branch", "gitlab": "push_hook.branch",
	"bitbucket": "repo_push.branch", "bitbucket-server": "repo_refs_changed.branch", "generic": "push.branch", "azure": "git.push",
}

// Each forge is recognised by what it sends, let in with either secret and no
// other, and its second delivery of one id is the first again.
func TestEveryForge(t *testing.T) {
	t.Parallel()
	for _, forge := range forges() {
		t.Run(forge.Name, func(t *testing.T) {
			t.Parallel()
			s, speak := newServer(t), speeches()[forge.Name]
			event, body := fixture(t, "testdata/"+forge.Name+"/"+aPush[forge.Name]+".json")
			for _, c := range []struct {
				secret, answer string
				status         int
			}{
				{"wrong", `{"error":"no such app, or the signature is not right"}`, 401},
				{"", `{"error":"no such app, or the signature is not right"}`, 401},
				{"new secret", `{"run":1,"duplicate":false}`, 202},
				{"old secret", `{"run":1,"duplicate":true}`, 202},
			} {
				if status, answer := s.deliver(t, "portal", speak(event, body, c.secret), body); status != c.status || answer != c.answer {
					t.Errorf("with the secret %q: %d %s, want %d %s", c.secret, status, answer, c.status, c.answer)
				}
			}
			if len(s.pushes) != 1 || s.pushes[0].Forge != forge.Name || s.pushes[0].Ref != "refs/heads/main" || s.pushes[0].Delivery == "" {
				t.Errorf("kept %+v", s.pushes)
			}
			for _, r := range s.refusals {
				if r.Forge != forge.Name {
					t.Errorf("refused as %s", r.Forge)
				}
			}
		})
	}
}

// A delivery may move several branches and tags: each is a run of its own.
func TestSeveralAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	event, body := fixture(t, "testdata/bitbucket/repo_push.several.json")
	h := speeches()["bitbucket"](event, body, "new secret")
	for _, want := range []string{
		`{"run":1,"duplicate":false,"more":[2,3],"ignored":"refs/heads/topic was deleted"}`,
		`{"run":1,"duplicate":true,"more":[2,3],"ignored":"refs/heads/topic was deleted"}`,
	} {
		if status, answer := s.deliver(t, "portal", h, body); status != 202 || answer != want {
			t.Errorf("%d %s, want %s", status, answer, want)
		}
	}
}

// A delivery whose time is signed is not taken in again later.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	event, body := fixture(t, "testdata/gitlab/push_hook.branch.json")
	for _, c := range []struct {
		name   string
		at     time.Time
		secret string
		status int
	}{
		{"now", time.Now(), "new secret", 202},
		{"a little ago", time.Now().Add(-4 * time.Minute), "new secret", 202},
		{"long ago", time.Now().Add(-6 * time.Minute), "new secret", 401},
		{"far ahead", time.Now().Add(6 * time.Minute), "new secret", 401},
		{"another secret", time.Now(), "wrong", 401},
	} {
		h := standard(body, c.secret, c.at)
		h["X-Gitlab-Event"] = event
		if status, answer := s.deliver(t, "portal", h, body); status != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, status, answer, c.status)
		}
	}
	h := standard(body, "new secret", time.Now())
	h["X-Gitlab-Event"], h["Webhook-Timestamp"] = event, "soon"
	if status, _ := s.deliver(t, "portal", h, body); status != 401 {
		t.Errorf("without a time: %d", status)
	}
	if signed := webhooks.GitLab().Signed; signed(nil, body, "") {
		t.Error("no header at all is let in")
	}
}

// What a forge says is of long ago is refused, and the log says why.
func TestWhatIsOldIsRefused(t *testing.T) {
	t.Parallel()
	s := &server{}
	s.Server = httptest.NewServer(webhooks.New(webhooks.Config{Apps: s, Inbox: s, Forges: forges(), Images: webhooks.Registries()}))
	t.Cleanup(s.Close)
	rfc := func(at time.Time) string { return `"` + at.UTC().Format(time.RFC3339Nano) + `"` }
	seconds := func(at time.Time) string { return fmt.Sprint(at.Unix()) }
	const revision = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
	const ends = `"head":{"ref":"topic","sha":"` + revision + `","repo":{"full_name":"a/b"}},"base":{"ref":"main","sha":"` + revision + `","repo":{"full_name":"a/b"}}`
	for name, c := range map[string]struct {
		door, body string // with %s for the time
		stamp      func(time.Time) string
		header     func(body []byte) map[string]string
	}{
		"bitbucket-server": {"portal", `{"date":%s,"changes":[{"ref":{"id":"refs/heads/main"},"toHash":"` + revision + `"}]}`,
			func(at time.Time) string { return `"` + at.Format("2006-01-02T15:04:05-0700") + `"` },
			func(body []byte) map[string]string {
				return map[string]string{"X-Event-Key": "repo:refs_changed", "X-Hub-Signature": "sha256=" + sign(body, "new secret")}
			}},
		"azure": {"portal", `{"id":"1","eventType":"git.push","createdDate":%s,"resource":{"refUpdates":[{"name":"refs/heads/main","newObjectId":"` + revision + `"}]}}`, rfc,
			func([]byte) map[string]string { return map[string]string{"Authorization": basic("new secret")} }},
		"harbor": {"portal/registry", `{"type":"PUSH_ARTIFACT","occur_at":%s,"event_data":{"resources":[{"tag":"1","resource_url":"hub.example.edu/acme/base:1"}]}}`, seconds,
			func([]byte) map[string]string { return map[string]string{"Authorization": "Bearer new secret"} }},
		"harbor's CloudEvents": {"portal/registry", `{"type":"harbor.artifact.pushed","time":%s,"data":{"resources":[{"tag":"1","resource_url":"hub.example.edu/acme/base:1"}]}}`, rfc,
			func([]byte) map[string]string { return map[string]string{"Authorization": "Bearer new secret"} }},
		"dockerhub": {"portal/registry?token=new+secret", `{"push_data":{"pushed_at":%s,"tag":"1"},"repository":{"repo_name":"acme/base"}}`, seconds,
			func([]byte) map[string]string { return nil }},
		"github": {"portal", `{"ref":"refs/heads/main","after":"` + revision + `","head_commit":{"id":"` + revision + `","timestamp":"2009-01-01T00:00:00Z"},"repository":{"pushed_at":%s}}`, seconds,
			func(body []byte) map[string]string { return github("push", rand.Text(), body, "new secret") }},
		"a pull request of github": {"portal", `{"action":"synchronize","number":1,"repository":{"pushed_at":"2009-01-01T00:00:00Z"},"pull_request":{"updated_at":%s,` + ends + `}}`, rfc,
			func(body []byte) map[string]string { return github("pull_request", rand.Text(), body, "new secret") }},
		"dockerhub with a fraction": {"portal/registry?token=new+secret", `{"push_data":{"pushed_at":%s.0,"tag":"1"},"repository":{"repo_name":"acme/base"}}`, seconds,
			func([]byte) map[string]string { return nil }},
	} {
		for _, at := range []struct {
			age  time.Duration
			want int
			why  string
		}{
			{0, 202, ""},
			{23 * time.Hour, 202, ""},
			{25 * time.Hour, 400, "and none older than 24h0m0s is taken in"},
			{-4 * time.Minute, 202, ""},
			{-6 * time.Minute, 400, "which is still to come"},
		} {
			body := fmt.Appendf(nil, c.body, c.stamp(time.Now().Add(-at.age)))
			status, answer := s.deliver(t, c.door, c.header(body), body)
			last := s.log[len(s.log)-1]
			if status != at.want || at.why != "" && (!strings.Contains(answer, at.why) || !strings.HasPrefix(last.Decision, "refused: it is of ")) {
				t.Errorf("%s of %s ago: %d %s, kept as %q", name, at.age, status, answer, last.Decision)
			}
		}
	}
	body := []byte(`{"date":{"not":"a time"},"changes":[{"ref":{"id":"refs/heads/main"},"toHash":"` + revision + `"}]}`)
	if status, answer := s.deliver(t, "portal", map[string]string{"X-Event-Key": "repo:refs_changed", "X-Hub-Signature": "sha256=" + sign(body, "new secret")}, body); status != 202 {
		t.Errorf("without a time: %d %s", status, answer)
	}
}

// Anything may sign as Standard Webhooks says: then a recorded delivery is of
// no use, under another id either.
func TestAnythingMaySignItsTime(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := []byte(`{"ref":"refs/heads/main","after":"6dcb09b5b57875f334f61aebed695e2e4193db5e"}`)
	send := func(at time.Time, id string, want int) {
		t.Helper()
		h := standard(body, "new secret", at)
		h["X-Batuta-Event"] = "push"
		if id != "" {
			h["Webhook-Id"] = id
		}
		if status, answer := s.deliver(t, "portal", h, body); status != want {
			t.Errorf("%d %s, want %d", status, answer, want)
		}
	}
	send(time.Now(), "", 202)
	send(time.Now(), "another", 401)
	h := standard(body, "6e6577", time.Now()) // by what it is the base64 of; a shell signs with the text
	mac := hmac.New(sha256.New, []byte("6e6577"))
	fmt.Fprintf(mac, "d-1.%s.%s", h["Webhook-Timestamp"], body)
	byText := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, signature := range []string{h["Webhook-Signature"], byText} {
		header := http.Header{"Webhook-Signature": {signature}, "Webhook-Timestamp": {h["Webhook-Timestamp"]}, "Webhook-Id": {"d-1"}}
		if !webhooks.Generic().Signed(header, body, "6e6577") || webhooks.Generic().Signed(header, body, "6e6578") {
			t.Errorf("%s is not what it should be", signature)
		}
	}
	send(time.Now().Add(-6*time.Minute), "", 401)
	for header, value := range map[string]string{"X-Batuta-Event": "push", "X-Gitlab-Event": "Push Hook"} {
		h := signedAs("", body, "new secret", time.Now())
		h[header] = value
		if status, answer := s.deliver(t, "portal", h, body); status != 401 {
			t.Errorf("without an id: %d %s", status, answer)
		}
	}
	if len(s.pushes) != 1 || s.pushes[0].Delivery != "d-1" {
		t.Errorf("%+v", s.pushes)
	}
}

// What is no push of any forge is ignored, and says why.
func TestReadRefusesOfOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		forge       webhooks.Forge
		event, body string
		words       string
	}{
		{webhooks.Bitbucket(), "repo:push", `{"push":{"changes":[{"new":{"type":"branch","name":"a..b","target":{"hash":"6dcb09b5b57875f334f61aebed695e2e4193db5e"}}}]}}`, "is not the name of a ref"},
		{webhooks.Bitbucket(), "repo:push", `{"push":{"changes":[{"new":{"type":"branch","name":"main","target":{"hash":"6dcb09b5b5"}}}]}}`, "is not a full commit hash"},
		{webhooks.Bitbucket(), "repo:push", `{"push":{"changes":7}}`, "push.changes is a number"},
		{webhooks.BitbucketServer(), "repo:refs_changed", `{"changes":[{"ref":{"id":"main"},"toHash":"6dcb09b5b57875f334f61aebed695e2e4193db5e"}]}`, ""},
		{webhooks.BitbucketServer(), "repo:refs_changed", `{"changes":[{"ref":{"id":"refs/heads/main"},"fromHash":"x","toHash":"6dcb09b5b57875f334f61aebed695e2e4193db5e"}]}`, "before:"},
		{webhooks.AzureDevOps(), "", `{"eventType":"git.push","resource":{"refUpdates":[{"name":"refs/heads/-x","newObjectId":"6dcb09b5b57875f334f61aebed695e2e4193db5e"}]}}`, "is not the name of a ref"},
		{webhooks.AzureDevOps(), "", `[]`, "the whole is an array and should be an object"},
		{webhooks.GitLab(), "System Hook", `{"event_name":7}`, "event_name is a number"},
		{webhooks.Gogs(), "create", `{"ref_type":"tag","ref":"a b"}`, "is not the name of a ref"},
	} {
		event, err := c.forge.Read(c.event, []byte(c.body))
		switch {
		case c.words == "" && (err != nil || len(event.Moves) != 1 || event.Moves[0].Ignored == ""):
			t.Errorf("%s reads %s as %+v, %v, want it ignored", c.forge.Name, c.body, event, err)
		case c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)):
			t.Errorf("%s reads %s as %+v, %v, want %q", c.forge.Name, c.body, event, err, c.words)
		}
	}
}

// The lines of shell in docs/forges.md are let in.
func TestLinesOfShell(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/forges.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Anything else\n")
	script := ""
	for _, block := range strings.Split(section, "```sh\n")[1:] {
		lines, _, _ := strings.Cut(block, "```")
		script += lines
	}
	s := newServer(t)
	shell := exec.CommandContext(t.Context(), "sh", "-euc", strings.ReplaceAll(script, "https://batuta.example.edu", s.URL))
	shell.Env = append(os.Environ(), "SECRET=new secret")
	if out, err := shell.CombinedOutput(); err != nil || len(s.pushes) != 2 || s.pushes[1].Sender != "ci" {
		t.Errorf("%v: %s; kept %+v", err, out, s.pushes)
	}
}
