//go:build linux

package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"batuta"
)

// TestAFullDiskIsSaidAndSurvived fills a real file system of 4 MB.
func TestAFullDiskIsSaidAndSurvived(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatalf("mount a small file system (this test needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	db := open(t, dir)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, bytes.Repeat([]byte("x"), 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	var err error
	for err == nil && accepted < 10_000 {
		if _, err = db.Accept(t.Context(), push(accepted)); err == nil {
			accepted++
		}
	}
	if !errors.Is(err, batuta.Unavailable) || !strings.Contains(err.Error(), "no space left on "+dir) {
		t.Errorf("after %d pushes the full disk gives %v", accepted, err)
	}
	if r, err := db.Accept(t.Context(), push(0)); err != nil || !r.Duplicate {
		t.Errorf("what was accepted, on the full disk: %+v, %v", r, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if r, err := db.Accept(t.Context(), push(accepted)); err != nil || r.Duplicate {
		t.Errorf("after room was made: %+v, %v", r, err)
	}
	runs, err := db.Runs(t.Context(), nil, "", accepted+2)
	if err != nil || len(runs) != accepted+1 {
		t.Errorf("%d runs are kept (%v), want %d", len(runs), err, accepted+1)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
