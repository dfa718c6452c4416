package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"batuta"
	"batuta/internal/store/storetest"
)

// TestAServerOfALaterVersionGoesOnWithRuns opens databases that servers of
// earlier versions left when they were killed: run 1 was live, run 2 was
// building, and run 3 waited. Each is named by its last migration; a release
// of Batuta leaves one here.
func TestAServerOfALaterVersionGoesOnWithRuns(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/databases/*.db.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no databases of earlier versions: ", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.atOnce = 1 // one after the other, as they came
			unzip(t, file, filepath.Join(w.dir, "batuta.db"))
			storetest.KilledNow(t, filepath.Join(w.dir, "batuta.db"))
			s := w.start(t)
			for run, word := range map[batuta.RunID]string{2: "two", 3: "three"} {
				if r := s.succeeds(t, run); r.Push.Revision != revision(word) || r.Release == 0 {
					t.Errorf("%+v", r)
				}
			}
			s.count(t, 3) // and nothing was done twice
			before, err := s.store.Release(t.Context(), testApp, 1)
			if err != nil || before.Revision != revision("one") {
				t.Errorf("%+v, %v", before, err)
			}
			if all, err := s.Bases(t.Context(), testApp); err != nil || len(all) != 1 {
				t.Errorf("%+v, %v", all, err)
			}
			want(t, w.running("qa"), "web-1@a=three")
		})
	}
}

func unzip(t *testing.T, from, to string) {
	t.Helper()
	f, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
