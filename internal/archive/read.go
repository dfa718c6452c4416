package archive

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"

	"batuta"
)

// Verify reads an archive to its end and compares every file with the
// manifest. One that is damaged, cut short or of a newer format is Invalid.
func Verify(file string) (Manifest, error) {
	var m Manifest
	var found []File
	err := each(file, func(h *tar.Header, body io.Reader) error {
		if m.Format != 0 {
			return broken(file, h.Name+" comes after the manifest")
		}
		if h.Name == manifestName {
			return json.NewDecoder(io.LimitReader(body, maxManifest)).Decode(&m)
		}
		sum := sha256.New()
		size, err := io.Copy(sum, body)
		found = append(found, File{h.Name, size, fmt.Sprintf("%x", sum.Sum(nil))})
		return err
	})
	switch {
	case errors.Is(err, batuta.Invalid), errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		return m, err
	case err != nil:
		return m, broken(file, err.Error())
	case m.Format == 0:
		return m, broken(file, "it has no manifest")
	case m.Format != format:
		return m, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%s has the format %d; this batuta reads %d", file, m.Format, format), Hint: "restore it with the batuta that made it, " + m.Binary}
	}
	return m, compare(file, m.Files, found)
}

// compare names the first file that is not as it was.
func compare(archive string, want, found []File) error {
	for i, f := range found {
		switch {
		case i >= len(want) || want[i].Name != f.Name:
			return broken(archive, f.Name+" is not in its manifest there")
		case want[i] != f:
			return broken(archive, f.Name+" has another checksum than its manifest says")
		}
	}
	if len(found) < len(want) {
		return broken(archive, want[len(found)].Name+" is missing")
	}
	return nil
}

// Extract puts the files of an archive that was verified into dir, on disk
// when it returns. Files that are there give an error; what was put there
// before it stays, for the caller to remove.
func Extract(file, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	defer root.Close()
	dirs := map[string]bool{".": true}
	err = each(file, func(h *tar.Header, body io.Reader) error {
		if h.Name == manifestName {
			return nil
		}
		if at := path.Dir(h.Name); !dirs[at] {
			if err := root.MkdirAll(at, 0o700); err != nil {
				return err
			}
			for ; !dirs[at]; at = path.Dir(at) {
				dirs[at] = true
			}
		}
		return put(root, h, body)
	})
	if err != nil {
		return fmt.Errorf("unpack %s: %w", file, err)
	}
	for at := range dirs {
		if err := SyncDir(filepath.Join(dir, filepath.FromSlash(at))); err != nil {
			return fmt.Errorf("unpack %s: %w", file, err)
		}
	}
	return nil
}

// put writes one file.
func put(root *os.Root, h *tar.Header, body io.Reader) error {
	f, err := root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, os.FileMode(h.Mode).Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Sync(), f.Close(), root.Chtimes(h.Name, h.ModTime, h.ModTime))
}

// each calls do for every file of an archive, and reads what follows the last:
// a checksum of the compression, too.
func each(file string, do func(h *tar.Header, body io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	defer f.Close()
	plain, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	defer plain.Close()
	entries := tar.NewReader(plain)
	for {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, plain)
			return err
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) || slices.Contains([]string{".", ""}, h.Name) {
			return broken(file, fmt.Sprintf("%q is no file of a data directory", h.Name))
		}
		if err := do(h, entries); err != nil {
			return err
		}
	}
}
