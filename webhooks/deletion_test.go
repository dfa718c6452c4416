package webhooks_test

import (
	"fmt"
	"strings"
	"testing"
)

// Only 40 or 64 zeros, or the forge's own word for it, are a deletion: what
// does not say where the ref is now is refused, and its sender hears why.
func TestDeletion(t *testing.T) {
	t.Parallel()
	const was = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
	zeros := strings.Repeat("0", 40)
	plain := func(after string) string { return fmt.Sprintf(`{"ref":"refs/heads/main","before":"%s"%s}`, was, after) }
	cloud := func(rest string) string {
		return fmt.Sprintf(`{"push":{"changes":[{"old":{"type":"branch","name":"main","target":{"hash":"%s"}}%s}]}}`, was, rest)
	}
	centre := func(rest string) string {
		return fmt.Sprintf(`{"changes":[{"ref":{"id":"refs/heads/main"},"fromHash":"%s"%s}]}`, was, rest)
	}
	azure := func(rest string) string {
		return fmt.Sprintf(`{"id":"1","eventType":"git.push","resource":{"refUpdates":[{"name":"refs/heads/main","oldObjectId":"%s"%s}]}}`, was, rest)
	}
	const deleted, unknown = "refs/heads/main was deleted", "is not a full commit hash, nor the 40 zeros of what was deleted"
	for _, c := range []struct{ forge, event, body, says string }{
		{"bitbucket", "repo:push", cloud(`,"new":null`), deleted},
		{"bitbucket", "repo:push", cloud(`,"closed":true`), deleted},
		{"bitbucket", "repo:push", cloud(``), unknown},
		{"bitbucket", "repo:push", cloud(`,"new":{}`), "is not the name of a ref"},
		{"bitbucket", "repo:push", cloud(`,"new":{"type":"branch","name":"main","target":{}}`), unknown},
		{"bitbucket-server", "repo:refs_changed", centre(`,"type":"DELETE"`), deleted},
		{"bitbucket-server", "repo:refs_changed", centre(`,"toHash":"` + zeros + `"`), deleted},
		{"bitbucket-server", "repo:refs_changed", centre(``), unknown},
		{"azure", "", azure(`,"newObjectId":"` + zeros + `"`), deleted},
		{"azure", "", azure(``), unknown},
	} {
		deliverDeletion(t, c.forge, c.event, c.body, c.says)
	}
	for _, forge := range []string{"github", "gitea", "forgejo", "gogs", "gitlab", "generic"} {
		event := "push"
		if forge == "gitlab" {
			event = "Push Hook"
		}
		for after, says := range map[string]string{
			`,"after":"` + zeros + `"`:                   deleted,
			`,"after":"` + strings.Repeat("0", 64) + `"`: deleted,
			`,"deleted":true`:                            deleted,
			``:                                           unknown,
			`,"after":null`:                              unknown,
			`,"after":""`:                                unknown,
			`,"after":"0"`:                               unknown,
			`,"after":"` + strings.Repeat("0", 39) + `"`:          unknown,
			`,"after":"` + zeros + `0"`:                           unknown,
			`,"before":"0","after":"` + was + `"`:                 "before: ",
			`,"before":"","after":""`:                             unknown,
			`,"before":"` + zeros + `","after":"` + was[1:] + `"`: unknown,
		} {
			deliverDeletion(t, forge, event, plain(after), says)
		}
	}
}

func deliverDeletion(t *testing.T, forge, event, body, says string) {
	t.Helper()
	s := newServer(t)
	status, answer := s.deliver(t, "portal", speeches()[forge](event, []byte(body), "new secret"), []byte(body))
	want, kept := 400, "refused: "
	if strings.HasSuffix(says, "was deleted") && strings.HasPrefix(says, "refs/") {
		want, kept = 200, "ignored: "
	}
	if status != want || !strings.Contains(answer, says) {
		t.Errorf("%s of %s: %d %s, want %d with %q", body, forge, status, answer, want, says)
	}
	if len(s.log) != 1 || !strings.HasPrefix(s.log[0].Decision, kept) || s.log[0].Run != 0 || len(s.pushes) > 0 {
		t.Errorf("%s of %s is kept as %+v", body, forge, s.log)
	}
}

// A delivery without an id of its own is told from its repetition by what it
// says; the id of Bitbucket's webhook is that of no delivery.
func TestDeliveriesWithoutAnID(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	first := []byte(`{"push":{"changes":[{"new":{"type":"branch","name":"main","target":{"hash":"6dcb09b5b57875f334f61aebed695e2e4193db5e"}}}]}}`)
	second := []byte(strings.ReplaceAll(string(first), "6dcb09b5b5", "0d1a26e67d"))
	for _, c := range []struct {
		body   []byte
		answer string
	}{
		{first, `{"run":1,"duplicate":false}`},
		{second, `{"run":2,"duplicate":false}`},
		{first, `{"run":1,"duplicate":true}`},
	} {
		h := speeches()["bitbucket"]("repo:push", c.body, "new secret")
		delete(h, "X-Request-UUID")
		if status, answer := s.deliver(t, "portal", h, c.body); status != 202 || answer != c.answer {
			t.Errorf("%d %s, want %s", status, answer, c.answer)
		}
	}
}
