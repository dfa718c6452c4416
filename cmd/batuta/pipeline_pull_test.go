package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/gitsource"
)

// Changed asks the test.
func (w *world) Changed(_ context.Context, _ gitsource.Repository, _ string, from, to batuta.Revision, _ string) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		return nil, &batuta.Error{Kind: batuta.NotFound, Message: "no revision " + string(from)}
	}
	return w.changed(from, to)
}

// MergeBase asks the test.
func (w *world) MergeBase(_ context.Context, _ gitsource.Repository, base, head batuta.Revision, _ string) (batuta.Revision, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.merged(base, head), nil
}

// pull has a forge tell of a pull request that it says was made when its
// target stood at revision base.
func (s *works) pull(t *testing.T, n int, target string, fork bool) batuta.RunID {
	t.Helper()
	r, err := s.Take(t.Context(), batuta.Delivery{
		App: testApp, Forge: "gitea", Delivery: fmt.Sprint("pull-", n), Event: "pull_request", Ref: "refs/heads/topic", Before: revision("base"), After: revision("one"), Sender: "ana",
		Pull: &batuta.PullRequest{Number: n, Source: "topic", Target: target, Fork: fork},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Run
}

// TestAPullRequestIsBuiltAndTested, and nothing more: it makes no release, and
// it stands in nobody's way. The recipe says which are wanted.
func TestAPullRequestIsBuiltAndTested(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	s.skips(t, s.pull(t, 1, "main", false), "there is no on.pull_request in batuta.yml")
	w.edit("batuta.yml", `"release/*"]`, `"release/*"]}, pull_request: {branches: [main]`)
	run := s.succeeds(t, s.pull(t, 2, "main", false))
	if run.Release != 0 || run.Environment != "" || run.Push.Pull == nil || !slices.ContainsFunc(run.Steps, func(s batuta.Step) bool { return strings.HasPrefix(s.Name, "build ") }) {
		t.Errorf("the pull request's run: %+v", run)
	}
	want(t, w.running("qa"))
	if releases, err := s.store.Releases(t.Context(), testApp, 10); err != nil || len(releases) != 0 {
		t.Errorf("releases %+v, %v", releases, err)
	}
	s.skips(t, s.pull(t, 3, "dev", false), "target dev is not among on.pull_request.branches (main)")
	s.skips(t, s.pull(t, 4, "main", true), "pull request 4 comes from a fork")
	all, err := s.store.Deliveries(t.Context(), testApp, 1)
	if err != nil || len(all) != 1 || all[0].Decision != "ignored: pull request 4 comes from a fork" {
		t.Errorf("deliveries %+v, %v", all, err)
	}
}

// TestAPullRequestIsComparedWithWhereItLeftItsTarget: what others did there is
// not its own. Where the target stands now counts for more than what the forge
// said, unless it has the request already.
func TestAPullRequestIsComparedWithWhereItLeftItsTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.start(t)
	w.edit("batuta.yml", `"release/*"]`, `"release/*"]}, pull_request: {paths: ["src/**"]`)
	w.changed = func(from, to batuta.Revision) ([]string, error) {
		if from == revision("left") && to == revision("one") {
			return []string{"docs/a.md"}, nil
		}
		return []string{"docs/a.md", "src/theirs"}, nil
	}
	for n, c := range []struct {
		says   string
		tip    batuta.Revision
		merged map[batuta.Revision]batuta.Revision
		skips  bool
	}{
		{"its target went on", revision("tip"), map[batuta.Revision]batuta.Revision{revision("tip"): revision("left")}, true},
		{"its target is not in the repository", "", map[batuta.Revision]batuta.Revision{revision("base"): revision("left")}, true},
		{"it is merged", revision("tip"), map[batuta.Revision]batuta.Revision{revision("tip"): revision("one"), revision("base"): revision("left")}, true},
		{"it has nothing in common with its target", revision("tip"), nil, false},
	} {
		w.mu.Lock()
		w.refs = gitsource.Refs{Tips: map[string]batuta.Revision{"refs/heads/main": c.tip}}
		w.merged = func(base, _ batuta.Revision) batuta.Revision { return c.merged[base] }
		w.mu.Unlock()
		id := s.pull(t, n+1, "main", false)
		if c.skips {
			s.skips(t, id, "nothing changed that is among on.pull_request.paths (src/**)")
		} else {
			s.succeeds(t, id)
		}
	}
}
