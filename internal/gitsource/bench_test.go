package gitsource_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"batuta/internal/gitsource"
)

// BenchmarkFetch compares one revision of 1,000 files, read from a bare
// repository of the embedded remote and over HTTP, with git clone of the same.
func BenchmarkFetch(b *testing.B) {
	for _, n := range []int{2, 1000} {
		repo := bare(b)
		files := map[string]string{}
		for i := range n {
			files[fmt.Sprintf("dir%d/file%d.txt", i%20, i)] = noise(4<<10, i)
		}
		rev := commit(b, repo, "files", files)
		fetcher := &gitsource.Fetcher{MaxBytes: 100 * megabyte}
		for name, from := range map[string]gitsource.Repository{"local": {URL: repo}, "http": newForge(b, repo).repository(gitsource.Credentials{})} {
			b.Run(fmt.Sprintf("%s/files=%d", name, n), func(b *testing.B) {
				dir := filepath.Join(b.TempDir(), "source")
				for b.Loop() {
					if _, err := fetcher.Fetch(b.Context(), from, "main", rev, dir); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("git-clone/files=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			for i := 0; b.Loop(); i++ {
				git(b, dir, "clone", "-q", "--depth=1", "file://"+repo, fmt.Sprint("copy", i))
			}
		})
	}
}
