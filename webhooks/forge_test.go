package webhooks_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"batuta"
	"batuta/webhooks"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// forges in the order in which the server recognises them.
func forges() []webhooks.Forge { return webhooks.All() }

// fixture reads testdata/forge/event.case.json.
func fixture(t testing.TB, path string) (event string, payload []byte) {
	t.Helper()
	payload, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	event, _, _ = strings.Cut(filepath.Base(path), ".")
	return spelled(event), payload
}

// spelled is the event as its forge writes it, where that is no name of a
// file.
func spelled(event string) string {
	if hook, ok := strings.CutSuffix(event, "_hook"); ok {
		words := strings.Split(hook+"_hook", "_")
		for i, w := range words {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
		return strings.Join(words, " ")
	}
	for _, prefix := range []string{"repo_", "pr_", "pullrequest_", "diagnostics_"} {
		if rest, ok := strings.CutPrefix(event, prefix); ok {
			return strings.TrimSuffix(prefix, "_") + ":" + rest
		}
	}
	return event
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, forge := range slices.Concat(forges(), webhooks.Registries()) {
		paths, err := filepath.Glob(filepath.Join("testdata", forge.Name, "*.json"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no fixtures of %s: %v", forge.Name, err)
		}
		for _, path := range paths {
			t.Run(path, func(t *testing.T) {
				t.Parallel()
				event, err := forge.Read(fixture(t, path))
				if err != nil {
					t.Fatal(err)
				}
				got, err := json.MarshalIndent(event, "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				golden(t, strings.TrimSuffix(path, ".json")+".golden", string(got)+"\n")
			})
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	const rev = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
	push := func(ref, before, after string) string {
		b, err := json.Marshal(map[string]any{"ref": ref, "before": before, "after": after})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for payload, words := range map[string]string{
		"":                                      "the payload is not the JSON",
		"payload={}":                            "the payload is not the JSON",
		`{"ref": 7}`:                            "the payload is not the JSON that it should be: ref is a number and should be a string",
		`[]`:                                    "the whole is an array and should be an object",
		`{"deleted": "no"}`:                     "deleted is a string and should be true or false",
		`{"head_commit": {"id": []}}`:           "head_commit.id is an array and should be a string",
		`{"head_commit": true}`:                 "head_commit is true or false and should be an object",
		push("refs/heads/main", "", "deadbeef"): `after: "deadbeef" is not a full commit hash`,
		push("refs/heads/main", "x", rev):       `before: "x" is not a full commit hash`,
		push("refs/heads/--upload-pack=x", "", rev):           `"refs/heads/--upload-pack=x" is not the name of a ref`,
		push("refs/heads/a..b", "", rev):                      "is not the name of a ref",
		push("refs/heads/a b", "", rev):                       "is not the name of a ref",
		push("refs/heads/a\nb", "", rev):                      "is not the name of a ref",
		push("refs/heads/a.lock", "", rev):                    "is not the name of a ref",
		push("refs/heads/.a", "", rev):                        "is not the name of a ref",
		push("refs/heads/a//b", "", rev):                      "is not the name of a ref",
		push("refs/heads/a/", "", rev):                        "is not the name of a ref",
		push("refs/heads/", "", rev):                          "is not the name of a ref",
		push("refs/heads/a@{1}", "", rev):                     "is not the name of a ref",
		push("refs/heads/a^", "", rev):                        "is not the name of a ref",
		push("refs/tags/v1.", "", rev):                        "is not the name of a ref",
		push("refs/tags/"+strings.Repeat("v", 1000), "", rev): "is not the name of a ref",
	} {
		for _, forge := range []webhooks.Forge{webhooks.GitHub(), webhooks.Gitea(), webhooks.Gogs(), webhooks.Generic(), webhooks.GitLab()} {
			event := "push"
			if forge.Name == "gitlab" {
				event = "Push Hook"
			}
			if event, err := forge.Read(event, []byte(payload)); err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s reads %s as %+v, %v; want an error that says %q", forge.Name, payload, event, err, words)
			}
		}
	}
}

// FuzzRead holds what every push promises, whatever a forge sends.
func FuzzRead(f *testing.F) {
	paths, err := filepath.Glob("testdata/*/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		event, payload := fixture(f, path)
		f.Add(event, payload)
	}
	f.Fuzz(func(t *testing.T, event string, payload []byte) {
		for _, forge := range forges() {
			read, err := forge.Read(event, payload)
			if err != nil {
				continue
			}
			if (len(read.Moves) == 0) == (read.Ignored == "") {
				t.Fatalf("neither a push nor ignored, or both: %+v", read)
			}
			for _, m := range read.Moves {
				holds(t, m)
			}
		}
	})
}

// holds is what is true of every movement: it names a commit, unless it starts
// nothing or is a tag that has yet to be looked up.
func holds(t *testing.T, m webhooks.Move) {
	p := m.Push
	tag := strings.HasPrefix(p.Ref, "refs/tags/")
	if batuta.CheckRevision(string(p.Revision)) != nil && (p.Revision != "" || m.Ignored == "" && !tag && p.Pull == nil) || (p.Before != "" && batuta.CheckRevision(string(p.Before)) != nil) {
		t.Fatalf("revisions %q %q", p.Before, p.Revision)
	}
	if !strings.HasPrefix(p.Ref, "refs/heads/") && !tag && m.Ignored == "" {
		t.Fatalf("ref %q", p.Ref)
	}
	for _, text := range []string{p.Ref, p.Sender, p.Message} {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) && text != p.Ref || strings.ContainsAny(text, "\n\r\x1b\x00") || len(text) > 4<<10 {
			t.Fatalf("text %q", text)
		}
	}
}
