package trial

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// entries is a tar of files with their name as content.
func entries(t *testing.T, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		content := []byte{}
		if h.Typeflag == tar.TypeReg && h.Size == 0 {
			content = []byte(h.Name)
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	return &out
}

func TestArtifactsStayOnTheirShelf(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "shelf")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s := &shelf{root: root, bytes: mostBytes}
	hostile := entries(t,
		tar.Header{Name: "out/", Typeflag: tar.TypeDir},
		tar.Header{Name: "out/good.txt", Typeflag: tar.TypeReg},
		tar.Header{Name: "out/up", Typeflag: tar.TypeSymlink, Linkname: "/etc"},
		tar.Header{Name: "out/up/passwd", Typeflag: tar.TypeReg},
		tar.Header{Name: "out/../../x/over", Typeflag: tar.TypeReg},
		tar.Header{Name: "out/hard", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"},
		tar.Header{Name: "out/fifo", Typeflag: tar.TypeFifo},
	)
	if err := s.unpack(below("../build/out"), hostile); err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{"build/out/good.txt": true, "build/out/up/passwd": true, "../over": false, "build/out/over": true, "build/out/hard": false, "build/out/fifo": false} {
		if info, err := os.Lstat(filepath.Join(dir, name)); (err == nil) != there || there && !info.Mode().IsRegular() {
			t.Errorf("%s: %v, want it there: %v", name, err, there)
		}
	}
	s.bytes = 3
	if err := s.unpack("more", entries(t, tar.Header{Name: "four", Typeflag: tar.TypeReg})); !errors.Is(err, errFull) {
		t.Errorf("more than there is room for: %v", err)
	}
}
