package gitsource_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/gitsource"
)

// rawTree stores a tree object as it stands, which git mktree would refuse:
// entries are mode, name and hash.
func rawTree(t testing.TB, repo string, entries ...[3]string) string {
	t.Helper()
	var b bytes.Buffer
	for _, e := range entries {
		hash, err := hex.DecodeString(e[2])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s\x00%s", e[0], e[1], hash)
	}
	return gitIn(t, repo, b.String(), "hash-object", "-w", "--literally", "-t", "tree", "--stdin")
}

// commitTree points main at a commit of the tree.
func commitTree(t testing.TB, repo, tree string) batuta.Revision {
	t.Helper()
	rev := git(t, repo, "commit-tree", "-m", "crafted", tree)
	git(t, repo, "update-ref", "refs/heads/main", rev)
	return batuta.Revision(rev)
}

func TestUnsafeNames(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	file := blob(t, repo, "evil")
	sub := rawTree(t, repo, [3]string{"100644", "config", file})
	for _, c := range []struct {
		mode, name, hash, words string
	}{
		{"100644", "..", file, `".." is not a file name`},
		{"40000", "..", sub, `".." is not a file name`},
		{"40000", ".", sub, `"." is not a file name`},
		{"100644", "../x", file, `"../x" is not a file name`},
		{"100644", "/etc/x", file, `"/etc/x" is not a file name`},
		{"100644", "a/b", file, `"a/b" is not a file name`},
		{"40000", ".git", sub, `".git" would be taken for a repository`},
		{"40000", ".GiT", sub, `".GiT" would be taken for a repository`},
		{"40000", "git~1", sub, `"git~1" would be taken for a repository`},
		{"120000", ".git", blob(t, repo, "x"), `".git" would be taken for a repository`},
	} {
		t.Run(c.mode+" "+strings.ReplaceAll(c.name, "/", "|"), func(t *testing.T) {
			unsafeTree(t, repo, rawTree(t, repo, [3]string{c.mode, c.name, c.hash}), c.words)
			inner := rawTree(t, repo, [3]string{c.mode, c.name, c.hash})
			unsafeTree(t, repo, rawTree(t, repo, [3]string{"40000", "sub", inner}), strings.TrimPrefix(c.words, `"`+c.name+`"`))
		})
	}
}

// unsafeTree fetches a tree that must be refused, and must leave nothing.
func unsafeTree(t *testing.T, repo, tree, words string) {
	t.Helper()
	rev := commitTree(t, repo, tree)
	dir := filepath.Join(t.TempDir(), "place", "source")
	_, err := (&gitsource.Fetcher{MaxBytes: megabyte}).Fetch(t.Context(), gitsource.Repository{URL: repo}, "main", rev, dir)
	wantError(t, err, batuta.Invalid, words)
	if got := leftovers(t, dir); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	if got := leftovers(t, filepath.Dir(dir)); len(got) != 1 {
		t.Errorf("written outside: %v", got)
	}
}

func TestSymlinks(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	file := blob(t, repo, "content")
	to := func(name, target string) [3]string { return [3]string{"120000", name, blob(t, repo, target)} }
	deep := rawTree(t, repo, to("top", "../.."), [3]string{"100644", "file", file})
	sub := rawTree(t, repo, [3]string{"40000", "deep", deep})

	good := commitTree(t, repo, rawTree(t, repo, to("dangling", "no/such"), [3]string{"100644", "file", file}, to("into", "sub/deep/file"),
		to("loop", "loop"), to("self", "."), [3]string{"40000", "sub", sub}, to("through", "file/x")))
	tree, err := fetch(t, gitsource.Repository{URL: repo}, "main", good)
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"into": "sub/deep/file", "self": ".", "loop": "loop", "dangling": "no/such", "sub/deep/top": "../.."} {
		if got, err := os.Readlink(filepath.Join(tree.Dir, name)); err != nil || got != target {
			t.Errorf("%s links to %q, %v; want %q", name, got, err, target)
		}
	}
	for name, c := range map[string]struct {
		entries [][3]string
		words   string
	}{
		"absolute":        {[][3]string{to("x", "/etc/passwd")}, `"x" is a symbolic link to the absolute path "/etc/passwd"`},
		"up":              {[][3]string{to("x", "..")}, `"x" is a symbolic link that leads outside the repository, to ".."`},
		"up and down":     {[][3]string{to("x", "a/../../b")}, `leads outside the repository, to "a/../../b"`},
		"out of a subdir": {[][3]string{{"40000", "d", rawTree(t, repo, to("x", "../../b"))}}, `"d/x" is a symbolic link that leads outside`},
		"over another":    {[][3]string{{"40000", "sub", sub}, to("x", "sub/deep/top/../b")}, `"x" is a symbolic link that leads outside`},
		"empty":           {[][3]string{to("x", "")}, "without a proper target"},
		"NUL":             {[][3]string{to("x", "a\x00b")}, "without a proper target"},
		"endless":         {[][3]string{to("x", strings.Repeat("a/", 3000))}, "without a proper target"},
	} {
		t.Run(name, func(t *testing.T) { unsafeTree(t, repo, rawTree(t, repo, c.entries...), c.words) })
	}
}

// A name that is a link and a directory at once must not make us write
// through the link.
func TestLinkAndDirectoryOfOneName(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	outside := t.TempDir()
	sub := rawTree(t, repo, [3]string{"100644", "file", blob(t, repo, "evil")})
	for _, target := range []string{outside, "."} {
		rev := commitTree(t, repo, rawTree(t, repo, [3]string{"120000", "x", blob(t, repo, target)}, [3]string{"40000", "x", sub}))
		if _, err := fetch(t, gitsource.Repository{URL: repo}, "main", rev); err == nil {
			t.Errorf("a tree with x twice was written")
		}
	}
	if got := leftovers(t, filepath.Join(outside, "x")); len(got) != 0 {
		t.Errorf("written outside: %v", got)
	}
}

// A few objects can stand for billions of files.
func TestTreeBomb(t *testing.T) {
	t.Parallel()
	repo := bare(t)
	level := rawTree(t, repo, [3]string{"100644", "f", blob(t, repo, "")})
	for range 10 {
		var entries [][3]string
		for i := range 10 {
			entries = append(entries, [3]string{"40000", fmt.Sprint("d", i), level})
		}
		level = rawTree(t, repo, entries...)
	}
	_, err := (&gitsource.Fetcher{MaxBytes: megabyte}).Fetch(t.Context(), gitsource.Repository{URL: repo}, "main", commitTree(t, repo, level), filepath.Join(t.TempDir(), "source"))
	wantError(t, err, batuta.Invalid, "repository is larger than the limit 1 MB")
}
