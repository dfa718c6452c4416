package notify_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/internal/notify"
)

const (
	commit = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
	token  = "a-token-that-opens"
	page   = "https://batuta.example.edu/runs/7"
)

// forges is what each forge documents: where a status is posted to, what
// proves who posts it, what the body has, and what the forge answers.
var forges = map[string]struct {
	reporter func(notify.Repository) notify.Reporter
	path     string // of the repository
	uri      string
	header   map[string]string
	body     map[string]string // without the state
	answer   int
	states   string // in the order of the states of package notify
}{
	"github": {
		func(r notify.Repository) notify.Reporter { return notify.GitHub{Repository: r} },
		"team/portal", "/api/v3/repos/team/portal/statuses/" + commit,
		map[string]string{"Authorization": "Bearer " + token, "Accept": "application/vnd.github+json", "X-Github-Api-Version": "2022-11-28"},
		map[string]string{"target_url": page, "description": "release 3 is live in qa", "context": "batuta"},
		http.StatusCreated, "pending pending success failure success error",
	},
	"gitea": {
		func(r notify.Repository) notify.Reporter { return notify.Gitea{Repository: r} },
		"team/portal", "/api/v1/repos/team/portal/statuses/" + commit,
		map[string]string{"Authorization": "token " + token},
		map[string]string{"target_url": page, "description": "release 3 is live in qa", "context": "batuta"},
		http.StatusCreated, "pending pending success failure success error",
	},
	"gitlab": {
		func(r notify.Repository) notify.Reporter { return notify.GitLab{Repository: r} },
		"team/web/portal", "/api/v4/projects/team%2Fweb%2Fportal/statuses/" + commit,
		map[string]string{"Private-Token": token},
		map[string]string{"ref": "main", "name": "batuta", "target_url": page, "description": "release 3 is live in qa"},
		http.StatusCreated, "pending running success failed success canceled",
	},
	"bitbucket": {
		func(r notify.Repository) notify.Reporter { return notify.Bitbucket{Repository: r} },
		"team/portal", "/2.0/repositories/team/portal/commit/" + commit + "/statuses/build",
		map[string]string{"Authorization": "Bearer " + token},
		map[string]string{"key": "batuta", "name": "batuta", "url": page, "description": "release 3 is live in qa", "refname": "main"},
		http.StatusCreated, "INPROGRESS INPROGRESS SUCCESSFUL FAILED SUCCESSFUL STOPPED",
	},
	"bitbucket-server": {
		func(r notify.Repository) notify.Reporter { return notify.BitbucketServer{Repository: r} },
		"WEB/portal", "/rest/api/latest/projects/WEB/repos/portal/commits/" + commit + "/builds",
		map[string]string{"Authorization": "Bearer " + token},
		map[string]string{"key": "batuta", "name": "batuta", "url": page, "description": "release 3 is live in qa", "ref": "refs/heads/main"},
		http.StatusNoContent, "INPROGRESS INPROGRESS SUCCESSFUL FAILED SUCCESSFUL FAILED",
	},
}

var allStates = []notify.State{notify.Waiting, notify.Running, notify.Succeeded, notify.Failed, notify.Skipped, notify.Stopped}

func status(s notify.State) notify.Status {
	return notify.Status{Revision: commit, Ref: "refs/heads/main", State: s, Context: "batuta", Description: "release 3 is live in qa", URL: page}
}

// TestEachForgeIsToldAsItDocuments holds every request against the forge's
// own description.
func TestEachForgeIsToldAsItDocuments(t *testing.T) {
	t.Parallel()
	for name, f := range forges {
		words := strings.Fields(f.states)
		for i, state := range allStates {
			e := listen(t, answer{code: f.answer, body: "{}"})
			if err := f.reporter(notify.Repository{URL: e.URL, Path: f.path, Token: token}).Report(t.Context(), status(state)); err != nil {
				t.Errorf("%s: %s: %v", name, state, err)
			}
			r := e.only(t)
			if r.Method != http.MethodPost || r.RequestURI != f.uri || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %s %s %s, want POST %s", name, r.Method, r.RequestURI, r.Header.Get("Content-Type"), f.uri)
			}
			for header, value := range f.header {
				if got := r.Header.Get(header); got != value {
					t.Errorf("%s: %s is %q, want %q", name, header, got, value)
				}
			}
			want := map[string]string{"state": words[i]}
			maps.Copy(want, f.body)
			var got map[string]string
			if err := json.Unmarshal(r.body, &got); err != nil {
				t.Errorf("%s: %v: %s", name, err, r.body)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, state, diff)
			}
		}
	}
}

// TestWhatEachForgeRefuses tells a wrong token, which is final, from a forge
// that has too much to do, and never shows the token.
func TestWhatEachForgeRefuses(t *testing.T) {
	t.Parallel()
	for name, f := range forges {
		for _, c := range []struct {
			answer answer
			kind   batuta.Kind
			words  string
		}{
			{answer{code: 401, body: `{"message":"Bad credentials ` + token + `"}`}, batuta.Denied, "401 Unauthorized: {\"message\":\"Bad credentials [secret]\"}"},
			{answer{code: 404}, batuta.Denied, "404 Not Found: it does not say why"},
			{answer{code: 429, header: map[string]string{"Retry-After": "30"}}, batuta.Unavailable, "429 Too Many Requests"},
			{answer{code: 502, body: "<html>"}, batuta.Unavailable, "502 Bad Gateway"},
		} {
			e := listen(t, c.answer)
			err := f.reporter(notify.Repository{URL: e.URL, Path: f.path, Token: token}).Report(t.Context(), status(notify.Failed))
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), token) {
				t.Errorf("%s: %d gives %v, want %s with %q", name, c.answer.code, err, c.kind, c.words)
			}
		}
	}
}

// TestGitLabIsNotToldTwice takes for done what GitLab refuses because it knows.
func TestGitLabIsNotToldTwice(t *testing.T) {
	t.Parallel()
	for body, fine := range map[string]bool{
		`{"message":"Cannot transition status via :run from :running (Reason(s): Status cannot transition via \"run\")"}`: true,
		`{"message":"state does not have a valid value"}`:                                                                 false,
	} {
		e := listen(t, answer{code: 400, body: body})
		err := notify.GitLab{Repository: notify.Repository{URL: e.URL, Path: "team/portal", Token: token}}.Report(t.Context(), status(notify.Running))
		if (err == nil) != fine {
			t.Errorf("%s gives %v", body, err)
		}
	}
}

func TestBitbucketTakesAUserWithItsToken(t *testing.T) {
	t.Parallel()
	e := listen(t)
	r := notify.Repository{URL: e.URL, Path: "team/portal", User: "ana@example.edu", Token: token}
	if err := (notify.Bitbucket{Repository: r}).Report(t.Context(), status(notify.Running)); err != nil {
		t.Fatal(err)
	}
	if user, password, ok := e.only(t).BasicAuth(); !ok || user != "ana@example.edu" || password != token {
		t.Errorf("it is told by %q with %q", user, password)
	}
}

// TestADescriptionIsShort cuts what is too long for a forge, and what is more
// than a line.
func TestADescriptionIsShort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "failed",
		"step build:\n  no space": "step build: no space",
		strings.Repeat("ä", 200):  strings.Repeat("ä", 139) + "…",
	} {
		e := listen(t)
		s := status(notify.Failed)
		s.Description, s.Ref = text, "6dcb09b"
		if err := (notify.GitLab{Repository: notify.Repository{URL: e.URL, Path: "team/portal", Token: token}}).Report(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := json.Unmarshal(e.only(t).body, &got); err != nil || got["description"] != want {
			t.Errorf("%q is told as %q (%v), want %q", text, got["description"], err, want)
		}
		if ref, told := got["ref"]; told {
			t.Errorf("what is no branch is told as the ref %q", ref)
		}
	}
}
