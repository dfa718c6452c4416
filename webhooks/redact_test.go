package webhooks_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
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
		`{"secret": "hunter2", "ref": "x"}`:                                                  `{"secret": "[redacted]", "ref": "x"}`,
		`{"hook":{"access_token":"a\"b","n":1}}`:                                             `{"hook":{"access_token":"[redacted]","n":1}}`,
		`{"password":"unending`:                                                              `{"password":"[redacted]"`,
		`{"url":"https://ana:pw@git.example/a@b"}`:                                           `{"url":"https://[redacted]@git.example/a@b"}`,
		`{"url":"https://git.example/?m=ana@x"}`:                                             `{"url":"https://git.example/?m=ana@x"}`,
		`{"ssh_url":"ssh://git@git.example:22/a"}`:                                           `{"ssh_url":"ssh://git@git.example:22/a"}`,
		`{"message":"my new secret is out"}`:                                                 `{"message":"my [redacted] is out"}`,
		`{"accessToken":"a","Api_Key":"b"}`:                                                  `{"accessToken":"[redacted]","Api_Key":"[redacted]"}`,
		`{"Authorization": "Bearer abc"}`:                                                    `{"Authorization": "[redacted]"}`,
		`{"url":"https://ghp_abc@github.com/x"}`:                                             `{"url":"https://[redacted]@github.com/x"}`,
		"payload=%7B%22secret%22%3A%22new+secret%22%7D":                                      `{"secret":"[redacted]"}`,
		`{"tokens":3,"message":"it is no \"token"}`:                                          `{"tokens":3,"message":"it is no \"token"}`,
		`{"message":"my \u006eew\u0020secret is out"}`:                                       `{"message":"my [redacted] is out"}`,
		`{"message":"` + base64.StdEncoding.EncodeToString([]byte("ana:new secret.")) + `"}`: `{"message":"YW5hOm[redacted]Qu"}`,
		`{"private_key":"-----BEGIN"}`:                                                       `{"private_key":"[redacted]"}`,
		`{"url":"https://git.example/a?private_token=abc&x=1"}`:                              `{"url":"https://git.example/a?private_token=[redacted]&x=1"}`,
		`{"url":"https://git.example/a?x=1\u0026access_token=abc\u0026y"}`:                   `{"url":"https://git.example/a?x=1\u0026access_token=[redacted]\u0026y"}`,
		`{"url":"https:\/\/ana:pw@git.example\/a?x=new+secret"}`:                             `{"url":"https://[redacted]@git.example/a?x=[redacted]"}`,
		`{"message":"keys=1, what is key=2"}`:                                                `{"message":"keys=1, what is key=2"}`,
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

// Nor is one that stands in anything else that a push says.
func TestNoSecretIsKeptOfAPush(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, hub := fixture(t, "testdata/github/push.branch.json")
	var sent map[string]any
	if err := json.Unmarshal(hub, &sent); err != nil {
		t.Fatal(err)
	}
	sent["sender"] = map[string]any{"login": "new secret"}
	sent["repository"] = map[string]any{"clone_url": "https://ana:pw@git.example/portal.git?token=abc"}
	head := map[string]any{"id": sent["after"], "message": "log in with new+secret at https://x?access_token=abc", "added": []string{"new secret.txt"}}
	sent["head_commit"], sent["commits"] = head, []any{head}
	body, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	s.deliver(t, "portal", github("push", "d-1", body, "new secret"), body)
	if len(s.log) != 1 {
		t.Fatalf("kept %+v", s.log)
	}
	d := s.log[0]
	got := strings.Join([]string{d.Sender, d.Clone, d.Message, strings.Join(d.Paths, " ")}, "\n")
	want := "[redacted]\nhttps://[redacted]@git.example/portal.git?token=[redacted]\nlog in with [redacted] at https://x?access_token=[redacted]\n[redacted].txt"
	if got != want {
		t.Errorf("kept\n%s\nwant\n%s", got, want)
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
