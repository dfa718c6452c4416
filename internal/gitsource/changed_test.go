package gitsource_test

import (
	"errors"
	"slices"
	"testing"

	"batuta"
	"batuta/internal/gitsource"
)

// TestRefsAndChanged asks the same of a repository here and of one at a forge.
func TestRefsAndChanged(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	one := commit(t, repo, "one", map[string]string{"a": "1", "docs/b": "1", "docs/c": "1"})
	two := commit(t, repo, "two", map[string]string{"docs/b": "2", "new/d": "1"})
	git(t, repo, "branch", "other", string(one))
	git(t, repo, "tag", "-a", "-m", "first", "v1", string(one))
	git(t, repo, "config", "uploadpack.allowReachableSHA1InWant", "true")
	at := newForge(t, repo)
	f := &gitsource.Fetcher{MaxBytes: megabyte}
	for where, r := range map[string]gitsource.Repository{"here": {URL: repo}, "at a forge": at.repository(gitsource.Credentials{})} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			refs, err := f.Refs(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if refs.Default != "refs/heads/main" || len(refs.Tips) != 3 || refs.Tips["refs/heads/main"] != two || refs.Tips["refs/heads/other"] != one || refs.Tips["refs/tags/v1"] != one {
				t.Errorf("refs: %+v", refs)
			}
			dir := t.TempDir()
			got, err := f.Changed(t.Context(), r, "refs/heads/main", one, two, dir+"/x")
			if want := []string{"docs/b", "new/d"}; err != nil || !slices.Equal(got, want) {
				t.Errorf("changed: %v, %v; want %v", got, err, want)
			}
			if left := leftovers(t, dir+"/x"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			_, err = f.Changed(t.Context(), r, "refs/heads/main", "0123456789012345678901234567890123456789", two, dir+"/x")
			if !errors.Is(err, batuta.NotFound) {
				t.Errorf("a revision that is gone: %v", err)
			}
		})
	}
}

func TestRefsOfNothing(t *testing.T) {
	t.Parallel()
	f := &gitsource.Fetcher{MaxBytes: megabyte}
	repo := bare(t)
	for where, r := range map[string]gitsource.Repository{"here": {URL: repo}, "at a forge": newForge(t, repo).repository(gitsource.Credentials{})} {
		if refs, err := f.Refs(t.Context(), r); err != nil || len(refs.Tips) != 0 {
			t.Errorf("an empty repository %s: %+v, %v", where, refs, err)
		}
	}
	if _, err := f.Refs(t.Context(), gitsource.Repository{URL: "http://127.0.0.1:1/x.git"}); !errors.Is(err, batuta.Unavailable) {
		t.Errorf("a server that is not there: %v", err)
	}
}
