package webhooks_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"batuta"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Whatever comes with a right signature is kept with what was decided, one
// entry for each branch, and nothing else is.
func TestLog(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, hub := fixture(t, "testdata/github/push.branch.json")
	event, several := fixture(t, "testdata/bitbucket/repo_push.several.json")
	s.deliver(t, "portal", github("push", "d-1", hub, "new secret"), hub)
	s.deliver(t, "portal", github("push", "d-2", hub, "wrong"), hub)
	s.deliver(t, "portal", github("star", "d-3", []byte("{}"), "new secret"), []byte("{}"))
	s.deliver(t, "portal", github("push", "d-4", []byte("{"), "new secret"), []byte("{"))
	s.deliver(t, "portal", speeches()["bitbucket"](event, several, "new secret"), several)
	var got []string
	for _, d := range s.log {
		got = append(got, strings.Join([]string{d.Forge, d.Delivery, d.Event, d.Ref, d.Decision}, " | "))
		if d.App != "portal" || d.Source == "" || d.Received.IsZero() || (d.Payload == "") != strings.Contains(d.Delivery, "/") {
			t.Errorf("kept %+v", d)
		}
	}
	want := []string{
		"github | d-1 | push | refs/heads/main | ",
		`github | d-3 | star |  | ignored: the event "star" is no push`,
		"github | d-4 | push |  | refused: the payload is not the JSON that it should be: unexpected end of JSON input",
		"bitbucket | d-1 | repo:push | refs/heads/main | ",
		"bitbucket | d-1/1 | repo:push | refs/tags/v1.0 | ",
		"bitbucket | d-1/2 | repo:push | refs/heads/topic | ignored: refs/heads/topic was deleted",
		"bitbucket | d-1/3 | repo:push | refs/heads/fix | ",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("kept\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if d := s.log[0]; d.Clone == "" || len(d.Paths) == 0 || d.Sender != "ana" || d.After == "" || d.Before == "" || d.Payload != string(hub) {
		t.Errorf("the push is kept as %+v", d)
	}
}

// No secret that a payload has is kept.
func TestNoSecretIsKept(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		`{"secret": "hunter2", "ref": "x"}`:                                                           `{"secret": "[redacted]", "ref": "x"}`,
		`{"hook":{"access_token":"a\"b","n":1}}`:                                                      `{"hook":{"access_token":"[redacted]","n":1}}`,
		`{"password":"unending`:                                                                       `{"password":"[redacted]"`,
		`{"url":"https://ana:pw@git.example/a@b"}`:                                                    `{"url":"https://[redacted]@git.example/a@b"}`,
		`{"url":"https://git.example/?m=ana@x"}`:                                                      `{"url":"https://git.example/?m=ana@x"}`,
		`{"ssh_url":"ssh://git@git.example:22/a"}`:                                                    `{"ssh_url":"ssh://git@git.example:22/a"}`,
		`{"message":"my new secret is out"}`:                                                          `{"message":"my [redacted] is out"}`,
		`{"accessToken":"a","Api_Key":"b"}`:                                                           `{"accessToken":"[redacted]","Api_Key":"[redacted]"}`,
		`{"Authorization": "Bearer abc"}`:                                                             `{"Authorization": "[redacted]"}`,
		`{"url":"https://ghp_abc@github.com/x"}`:                                                      `{"url":"https://[redacted]@github.com/x"}`,
		"payload=%7B%22secret%22%3A%22new+secret%22%7D":                                               `{"secret":"[redacted]"}`,
		`{"private_key":"a","sshKey":"b","oauth2_token": 7, "client-secret":["a","b\"]"],"key":"c"}`:  `{"private_key":"[redacted]","sshKey":"[redacted]","oauth2_token": "[redacted]", "client-secret":"[redacted]","key":"c"}`,
		`{"to\u006ben":"a","url":"https:\/\/ana:pw@git.example\/a","n":"\\u0041\u00e9\u0022"}`:        `{"token":"[redacted]","url":"https://[redacted]@git.example/a","n":"\\u0041\u00e9\u0022"}`,
		`{"hook":"{\"api_key\": \"a\",\"n\":\"b\"}","x":"\"key\""}`:                                   `{"hook":"{\"api_key\": \"[redacted]\",\"n\":\"b\"}","x":"\"key\""}`,
		`{"message":"my new\u0020secret is out"}`:                                                     `{"message":"my [redacted] is out"}`,
		`{"url":"https://git.example/a?access_token=abc&x=1\u0026Token=def#L1","author":"key=7"}`:     `{"url":"https://git.example/a?access_token=[redacted]&x=1&Token=[redacted]#L1","author":"key=7"}`,
		`{"url":"https://git.example/a?X-Amz-Signature=abc","back":"?to=%2Fa%3Fprivate_token%3Dabc"}`: `{"url":"https://git.example/a?X-Amz-Signature=[redacted]","back":"?to=%2Fa%3Fprivate_token%3D[redacted]"}`,
		`{"tokens":3,"message":"it is no \"token"}`:                                                   `{"tokens":3,"message":"it is no \"token"}`,
	} {
		if got := deliveredAs(t, sent); got != want {
			t.Errorf("%s is kept as %s, want %s", sent, got, want)
		}
	}
	long, err := json.Marshal(map[string]string{"message": strings.Repeat("ü", 40<<10), "secret": "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	if got := deliveredAs(t, string(long)); len(got) > 64<<10 || len(got) < 64<<10-2 {
		t.Errorf("%d bytes are kept", len(got))
	}
	edge := strings.Repeat("x", 64<<10-4) + "new secret"
	if got := deliveredAs(t, edge); strings.Contains(got, "new") {
		t.Errorf("the beginning of a secret is kept: %s", got[len(got)-20:])
	}
}

// What a forge says of a push is kept without secrets, too: each of its words,
// and the refusal of what cannot be read.
func TestNoSecretIsKeptBesideThePayload(t *testing.T) {
	t.Parallel()
	const secret, revision = "secret-of-the-hook", "6dcb09b5b57875f334f61aebed695e2e4193db5e"
	push := func(ref, sender, clone string) string {
		return fmt.Sprintf(`{"ref":"%s","after":"%s","sender":{"login":"%s"},"repository":{"clone_url":"%s"},
			"head_commit":{"message":"see https://ana:pw@git.example/a?token=pw and %[5]s"},"commits":[{"added":["a/%[5]s"]}]}`, ref, revision, sender, clone, secret)
	}
	long := strings.Repeat("x", 95)
	for name, c := range map[string]struct {
		event, delivery, body string
		status                int
		want                  batuta.Delivery
	}{
		"a push": {"push", "d-" + secret, push("refs/heads/main", "by "+secret, "https://ana:pw@git.example/a.git?access_token=pw"), 202, batuta.Delivery{
			Event: "push", Ref: "refs/heads/main", After: revision, Sender: "by [redacted]", Clone: "https://[redacted]@git.example/a.git?access_token=[redacted]",
			Message: "see https://[redacted]@git.example/a?token=[redacted] and [redacted]", Paths: []string{"a/[redacted]"},
		}},
		"a secret where a text is cut": {"push", "d-1", push("refs/heads/main", long+secret, ""), 202, batuta.Delivery{
			Event: "push", Ref: "refs/heads/main", After: revision, Sender: long + "[r…",
			Message: "see https://[redacted]@git.example/a?token=[redacted] and [redacted]", Paths: []string{"a/[redacted]"},
		}},
		"a branch": {"push", "d-1", push("refs/heads/a-"+secret, "ana", ""), 200, batuta.Delivery{
			Event: "push", Ref: "refs/heads/a-[redacted]", After: revision, Sender: "ana", Message: "see https://[redacted]@git.example/a?token=[redacted] and [redacted]", Paths: []string{"a/[redacted]"},
			Decision: "ignored: its ref has a secret of the app's webhook or repository, which the run would show",
		}},
		"a deleted branch": {"push", "d-1", `{"ref":"refs/heads/` + secret + `","deleted":true}`, 200, batuta.Delivery{
			Event: "push", Ref: "refs/heads/[redacted]", Decision: "ignored: refs/heads/[redacted] was deleted",
		}},
		"an event": {secret, "d-1", `{}`, 200, batuta.Delivery{Event: "[redacted]", Decision: `ignored: the event "[redacted]" is no push`}},
		"what is no push": {"push", "d-1", `{"ref":"refs/heads/` + secret + `..","after":""}`, 400, batuta.Delivery{
			Event: "push", Decision: `refused: ref: "refs/heads/[redacted].." is not the name of a ref`,
		}},
		"a pull request": {"pull_request", "d-1", `{"action":"opened","number":1,"pull_request":{"title":"` + secret + `","head":{"ref":"a","sha":"` + revision + `","repo":{"full_name":"a/b"}},"base":{"ref":"` + secret + `","repo":{"full_name":"a/b"}}}}`, 200, batuta.Delivery{
			Event: "pull_request", Ref: "refs/heads/a", After: revision, Message: "[redacted]", Pull: &batuta.PullRequest{Number: 1, Source: "a", Target: "[redacted]"},
			Decision: "ignored: its ref has a secret of the app's webhook or repository, which the run would show",
		}},
	} {
		s := newServer(t)
		status, answer := s.deliver(t, "vault", github(c.event, c.delivery, []byte(c.body), secret), []byte(c.body))
		if status != c.status || strings.Contains(answer, secret) || len(s.log) != 1 {
			t.Errorf("%s: %d %s; kept %+v", name, status, answer, s.log)
			continue
		}
		if diff := cmp.Diff(c.want, s.log[0], cmpopts.IgnoreFields(batuta.Delivery{}, "App", "Forge", "Source", "Received", "Payload", "Delivery")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if kept := fmt.Sprintf("%+v", s.log[0]); strings.Contains(kept, secret) || strings.Contains(kept, "pw") {
			t.Errorf("%s is kept as %s", name, kept)
		}
	}
}

// An id that has a secret gives way to the body's hash, which is an id as good.
func TestAnIDThatHasASecret(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, body := fixture(t, "testdata/github/push.branch.json")
	for _, want := range []string{`{"run":1,"duplicate":false}`, `{"run":1,"duplicate":true}`} {
		if status, answer := s.deliver(t, "vault", github("push", "d-secret-of-the-hook", body, "secret-of-the-hook"), body); status != 202 || answer != want || !strings.HasPrefix(s.log[0].Delivery, "sha256:") {
			t.Errorf("%d %s, want %s; kept as %s", status, answer, want, s.log[0].Delivery)
		}
	}
}

// deliveredAs is what is kept of a payload.
func deliveredAs(t *testing.T, payload string) string {
	t.Helper()
	s := newServer(t)
	s.deliver(t, "portal", github("star", "d-1", []byte(payload), "new secret"), []byte(payload))
	if len(s.log) != 1 || s.log[0].Decision == "" {
		t.Fatalf("kept %+v", s.log)
	}
	return s.log[0].Payload
}

// FuzzKept holds what is true of everything that is kept, whatever is sent.
func FuzzKept(f *testing.F) {
	for _, seed := range []string{
		`{"ref":"refs/heads/main","after":"6dcb09b5b57875f334f61aebed695e2e4193db5e","sender":{"login":"secret-of-the-hook"}}`,
		`{"ref":"refs/heads/secret-of-the-hook","to\u006ben":"a","url":"https:\/\/ana:pw@git.example\/?key=7"}`, "payload=%7B%22secret%22%3A7", `\`, `"\u00`, `"token":["a`,
	} {
		f.Add(seed)
	}
	s := &server{}
	receiver := s.receiver(0)
	f.Fuzz(func(t *testing.T, body string) {
		s.log = nil
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/vault", strings.NewReader(body))
		for name, value := range github("push", "d-1", []byte(body), "secret-of-the-hook") {
			req.Header.Set(name, value)
		}
		receiver.ServeHTTP(httptest.NewRecorder(), req)
		for _, d := range s.log {
			if text := fmt.Sprintf("%+v", d); strings.Contains(text, "secret-of-the-hook") || !utf8.ValidString(d.Payload) || len(d.Payload) > 64<<10 || len(d.Message) > 500 || len(d.Sender) > 100 {
				t.Errorf("%q is kept as %s", body, text)
			}
		}
	})
}
