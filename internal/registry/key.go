package registry

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// uploadKey is the secret that signs the state of uploads. It is kept, so that
// an upload goes on after a restart. Its first writer wins, whole: the file is
// linked into place only once it is on disk.
func uploadKey(dir string) (string, error) {
	path := filepath.Join(dir, "upload.key")
	key, err := os.ReadFile(path)
	if err == nil {
		return string(key), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read upload key: %w", err)
	}
	if err := writeNew(path, rand.Text()); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("write upload key: %w", err)
	}
	if key, err = os.ReadFile(path); err != nil {
		return "", fmt.Errorf("read upload key: %w", err)
	}
	return string(key), nil
}

// writeNew makes the file at path, for its owner only, with all of text or not
// at all. Its error is fs.ErrExist if there is one.
func writeNew(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
