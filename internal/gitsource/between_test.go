package gitsource_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/internal/gitsource"
)

// headlines are those of what lies between two revisions.
func headlines(t *testing.T, repo gitsource.Repository, from, to batuta.Revision, limit int) []string {
	t.Helper()
	commits, err := (&gitsource.Fetcher{MaxBytes: megabyte}).Between(t.Context(), repo, from, to, limit)
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

// TestBetweenTellsWhatIsNew asks of the same repository here, and elsewhere of
// servers that can leave out files, or give single commits, and of one that can do neither.
func TestBetweenTellsWhatIsNew(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	var revisions []batuta.Revision
	for _, message := range []string{"first", "second", "third", "fourth"} {
		revisions = append(revisions, commit(t, repo, message, map[string]string{"a": message, message: strings.Repeat(message, 1000)}))
	}
	places := map[string]gitsource.Repository{"here": {URL: repo}}
	for name, settings := range map[string][]string{
		"a plain server": nil, "one that filters": {"uploadpack.allowFilter"},
		"one like GitHub": {"uploadpack.allowFilter", "uploadpack.allowReachableSHA1InWant"},
	} {
		own := bare(t)
		git(t, own, "fetch", "-q", repo, "main:main")
		for _, setting := range settings {
			git(t, own, "config", setting, "true")
		}
		f := newForge(t, own)
		f.user, f.password = "batuta", "t0ken"
		places[name] = f.repository(gitsource.Credentials{User: f.user, Password: f.password})
	}
	for name, at := range places {
		for _, c := range []struct {
			from, to batuta.Revision
			limit    int
			want     []string
		}{
			{revisions[0], revisions[3], 20, []string{"fourth", "third", "second"}},
			{revisions[0], revisions[3], 2, []string{"fourth", "third"}},
			{revisions[3], revisions[0], 20, nil},
			{revisions[1], revisions[1], 20, nil},
			{"", revisions[3], 20, nil},
			{"0123456789012345678901234567890123456789", revisions[3], 20, nil},
		} {
			if got := headlines(t, at, c.from, c.to, c.limit); !slices.Equal(got, c.want) {
				t.Errorf("%s: from %s to %s: %q, want %q", name, c.from, c.to, got, c.want)
			}
		}
	}
}

// TestBetweenAfterAForcePush: what the new one has, the old one has not.
func TestBetweenAfterAForcePush(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	base := commit(t, repo, "base", map[string]string{"a": "1"})
	dropped := commit(t, repo, "dropped", map[string]string{"a": "2"})
	git(t, repo, "update-ref", "refs/heads/main", string(base))
	merged := commit(t, repo, "instead", map[string]string{"a": "3"})
	for _, at := range ways(t, repo) {
		if got := headlines(t, at, dropped, merged, 20); !slices.Equal(got, []string{"instead"}) {
			t.Errorf("%s: %q", at, got)
		}
	}
}

// TestBetweenLeavesOutTheFiles of a server that can do so.
func TestBetweenLeavesOutTheFiles(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	git(t, repo, "config", "uploadpack.allowFilter", "true")
	first := commit(t, repo, "first", map[string]string{"a": "1"})
	noise := make([]byte, megabyte)
	rand.Read(noise)
	last := commit(t, repo, "last", map[string]string{"large": string(noise)})
	f := newForge(t, repo)
	if got := headlines(t, f.repository(gitsource.Credentials{}), first, last, 20); !slices.Equal(got, []string{"last"}) {
		t.Errorf("%q", got)
	}
	if sent := f.sent.Load(); sent > 4<<10 {
		t.Errorf("%d bytes were sent for one commit", sent)
	}
}

// TestBetweenDoesNotKeepPeopleWaiting for a server that does not answer, and
// leaves nothing behind.
func TestBetweenDoesNotKeepPeopleWaiting(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	defer silent.CloseClientConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	f := &gitsource.Fetcher{MaxBytes: megabyte}
	_, err := f.Between(ctx, gitsource.Repository{URL: silent.URL + "/portal.git"}, hashOf("1"), hashOf("2"), 20)
	if err == nil {
		t.Error("it gave no error")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func hashOf(digit string) batuta.Revision { return batuta.Revision(strings.Repeat(digit, 40)) }
