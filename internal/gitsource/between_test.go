package gitsource_test

import (
	"testing"

	"batuta"
	"batuta/internal/gitsource"
)

func TestBetweenTellsWhatIsNew(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	var revisions []batuta.Revision
	for _, message := range []string{"first", "second", "third", "fourth"} {
		revisions = append(revisions, commit(t, repo, message, map[string]string{"a": message}))
	}
	f := &gitsource.Fetcher{MaxBytes: 1 << 20}
	between := func(from, to batuta.Revision, limit int) []string {
		t.Helper()
		commits, err := f.Between(t.Context(), gitsource.Repository{URL: repo}, from, to, limit)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, c := range commits {
			if c.Author == "" || c.Time.IsZero() || batuta.CheckRevision(string(c.Revision)) != nil {
				t.Errorf("%+v is not a whole commit", c)
			}
			lines = append(lines, c.Headline)
		}
		return lines
	}
	for _, c := range []struct {
		from, to batuta.Revision
		limit    int
		want     []string
	}{
		{revisions[0], revisions[3], 20, []string{"fourth", "third", "second"}},
		{revisions[0], revisions[3], 2, []string{"fourth", "third"}},
		{revisions[3], revisions[0], 20, nil},
		{revisions[1], revisions[1], 20, nil},
		{"", revisions[1], 20, nil},
		{"0123456789012345678901234567890123456789", revisions[1], 20, nil},
	} {
		got := between(c.from, c.to, c.limit)
		if len(got) != len(c.want) {
			t.Errorf("from %s to %s: %q, want %q", c.from, c.to, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("from %s to %s: %q, want %q", c.from, c.to, got, c.want)
			}
		}
	}
	far, err := f.Between(t.Context(), gitsource.Repository{URL: "https://git.example.edu/portal.git"}, revisions[0], revisions[1], 20)
	if far != nil || err != nil {
		t.Errorf("a repository elsewhere: %v, %v", far, err)
	}
}
