package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"batuta"
	"batuta/internal/archive"
)

// packed is an archive of two files.
func packed(t *testing.T) string {
	t.Helper()
	from, file := t.TempDir(), filepath.Join(t.TempDir(), "a.batuta")
	if err := errors.Join(os.WriteFile(filepath.Join(from, "key"), []byte("secret"), 0o600), os.MkdirAll(filepath.Join(from, "x/y"), 0o700), os.WriteFile(filepath.Join(from, "x/y/z"), []byte("deep"), 0o640)); err != nil {
		t.Fatal(err)
	}
	w, err := archive.Create(file, archive.Manifest{Binary: "1.2.3", Made: time.Now(), Images: true})
	if err != nil {
		t.Fatal(err)
	}
	err = w.AddTree("data", from, func(string) bool { return true })
	_, committed := w.Commit()
	if err := errors.Join(err, committed, w.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWhatWasPackedIsUnpacked(t *testing.T) {
	t.Parallel()
	file, to := packed(t), t.TempDir()
	m, err := archive.Verify(file)
	if err != nil || m.Binary != "1.2.3" || !m.Images || len(m.Files) != 2 {
		t.Fatalf("manifest %+v (%v)", m, err)
	}
	if err := archive.Extract(file, to); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"data/key": "secret", "data/x/y/z": "deep"} {
		if text, err := os.ReadFile(filepath.Join(to, path)); err != nil || string(text) != want {
			t.Errorf("%s has %q (%v)", path, text, err)
		}
	}
	if err := archive.Extract(file, to); err == nil {
		t.Error("what was there was written over")
	}
}

// TestDamageIsSeen cuts an archive short at every byte, and turns every byte:
// it is refused, or all that is in it is as it was.
func TestDamageIsSeen(t *testing.T) {
	t.Parallel()
	intact := packed(t)
	whole, err := os.ReadFile(intact)
	if err != nil {
		t.Fatal(err)
	}
	want, err := archive.Verify(intact)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "damaged")
	refused := func(data []byte, what string, at int) {
		t.Helper()
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := archive.Verify(file)
		if err == nil && what == "turned" && reflect.DeepEqual(got, want) {
			return // a bit that means nothing to the compression
		}
		if !errors.Is(err, batuta.Invalid) {
			t.Errorf("%s at %d of %d: %v, want it refused as Invalid", what, at, len(whole), err)
		}
	}
	for at := range whole {
		refused(whole[:at], "cut", at)
		turned := append([]byte(nil), whole...)
		turned[at] ^= 0xff
		refused(turned, "turned", at)
	}
}

func TestAnArchiveGivenUpLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := archive.Create(filepath.Join(dir, "a"), archive.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v (%v)", left, err)
	}
}

// TestOneThatWasKilledLeavesItsPlace begins an archive where a killed one left
// its part, and a second one meanwhile.
func TestOneThatWasKilledLeavesItsPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	if err := os.WriteFile(file+".part", []byte("half of an archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := archive.Create(file, archive.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Create(file, archive.Manifest{}); !errors.Is(err, batuta.Conflict) {
		t.Errorf("a second one: %v", err)
	}
	_, committed := w.Commit()
	if err := errors.Join(committed, w.Close()); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(file + "*"); err != nil || len(left) != 1 {
		t.Errorf("left are %q, %v", left, err)
	}
}
