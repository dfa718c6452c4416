package gitsource_test

import (
	"errors"
	"testing"

	"batuta"
	"batuta/internal/gitsource"
)

// forked is a repository in which topic left main, was worked on, took main in
// and was worked on, while main went on, also after that.
type forked struct {
	repo                              string
	start, merged, before, after, tip batuta.Revision
	apart                             batuta.Revision
}

func newForked(t *testing.T) forked {
	t.Helper()
	f := forked{repo: bare(t)}
	f.start = commit(t, f.repo, "start", map[string]string{"a": "1"})
	work := t.TempDir()
	git(t, work, "clone", "-q", f.repo, ".")
	add := func(message string) batuta.Revision {
		git(t, work, "commit", "-q", "--allow-empty", "-m", message)
		return batuta.Revision(git(t, work, "rev-parse", "HEAD"))
	}
	git(t, work, "checkout", "-q", "-b", "topic")
	f.before = add("work")
	git(t, work, "checkout", "-q", "main")
	f.merged = add("theirs")
	git(t, work, "checkout", "-q", "topic")
	git(t, work, "-c", "core.editor=true", "merge", "-q", "--no-ff", "main")
	f.after = add("more work")
	git(t, work, "checkout", "-q", "main")
	f.tip = add("theirs again")
	git(t, work, "checkout", "-q", "--orphan", "apart")
	f.apart = add("a history of its own")
	git(t, work, "push", "-q", f.repo, "main", "topic", "apart", string(f.before)+":refs/heads/before")
	return f
}

// TestMergeBase asks a repository here, and servers that can leave out files
// or give single commits, and one that can do neither.
func TestMergeBase(t *testing.T) {
	t.Parallel()
	f := newForked(t)
	places := map[string]gitsource.Repository{"here": {URL: f.repo}}
	for name, settings := range map[string][]string{
		"a plain server": nil, "one like GitHub": {"uploadpack.allowFilter", "uploadpack.allowReachableSHA1InWant"},
	} {
		own := bare(t)
		git(t, own, "fetch", "-q", f.repo, "refs/heads/*:refs/heads/*")
		for _, setting := range settings {
			git(t, own, "config", setting, "true")
		}
		places[name] = newForge(t, own).repository(gitsource.Credentials{})
	}
	fetcher := &gitsource.Fetcher{MaxBytes: megabyte}
	for name, at := range places {
		for what, c := range map[string]struct{ base, head, want batuta.Revision }{
			"left and not looked back": {f.tip, f.before, f.start},
			"took main in":             {f.tip, f.after, f.merged},
			"is merged":                {f.after, f.before, f.before},
			"the same":                 {f.tip, f.tip, f.tip},
			"ahead":                    {f.start, f.tip, f.start},
			"nothing in common":        {f.tip, f.apart, ""},
		} {
			dir := t.TempDir()
			got, err := fetcher.MergeBase(t.Context(), at, c.base, c.head, dir+"/x")
			if err != nil || got != c.want {
				t.Errorf("%s, %s: %q, %v; want %q", name, what, got, err, c.want)
			}
			if left := leftovers(t, dir+"/x"); len(left) > 0 {
				t.Errorf("%s, %s: left behind: %v", name, what, left)
			}
		}
		for _, pair := range [][2]batuta.Revision{{hashOf("1"), f.tip}, {f.tip, hashOf("1")}} {
			if got, err := fetcher.MergeBase(t.Context(), at, pair[0], pair[1], t.TempDir()+"/x"); !errors.Is(err, batuta.NotFound) {
				t.Errorf("%s: a revision that is gone: %q, %v", name, got, err)
			}
		}
	}
}
