package archive

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"

	"batuta"
)

// Writer writes an archive. It is for one goroutine.
type Writer struct {
	path     string
	file     *os.File
	squeezed *zstd.Encoder
	tar      *tar.Writer
	manifest Manifest
}

// Create begins an archive that appears at path, for its owner only, once it
// is committed. Until then it is at path.part, where it takes the place of what
// a killed one left; while it is written, a second one is a Conflict.
func Create(path string, of Manifest) (*Writer, error) {
	file, err := os.OpenFile(path+".part", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create archive: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(&batuta.Error{Kind: batuta.Conflict, Message: path + " is being written by another backup", Hint: "wait for it, or write another file"}, file.Close())
	}
	if err := file.Truncate(0); err != nil {
		return nil, errors.Join(fmt.Errorf("create archive: %w", err), file.Close())
	}
	squeezed, err := zstd.NewWriter(file, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	of.Format, of.Files = format, []File{}
	return &Writer{path, file, squeezed, tar.NewWriter(squeezed), of}, nil
}

// Add packs the file at from as it is now, under a name; what is written to
// its end meanwhile is left out.
func (w *Writer) Add(name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	sum := sha256.New()
	err = w.tar.WriteHeader(&tar.Header{Name: name, Size: info.Size(), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX})
	if err == nil {
		_, err = io.CopyN(io.MultiWriter(w.tar, sum), f, info.Size())
	}
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	w.manifest.Files = append(w.manifest.Files, File{name, info.Size(), fmt.Sprintf("%x", sum.Sum(nil))})
	return nil
}

// AddTree packs those files below dir that are wanted by their path in it, in
// the order of their names. A dir that is not there has none; a file that goes
// meanwhile is left out.
func (w *Writer) AddTree(name, dir string, wanted func(file string) bool) error {
	err := fs.WalkDir(os.DirFS(dir), ".", func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && wanted(file) {
			err = w.Add(path.Join(name, file), filepath.Join(dir, filepath.FromSlash(file)))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("pack %s: %w", dir, err)
	}
	return nil
}

// Commit writes the manifest and puts the archive at its path, whole and on
// disk. It tells how large it is.
func (w *Writer) Commit() (size int64, err error) {
	text, err := json.Marshal(w.manifest)
	if err != nil {
		return 0, fmt.Errorf("write manifest: %w", err)
	}
	if err := w.tar.WriteHeader(&tar.Header{Name: manifestName, Size: int64(len(text)), Mode: 0o600, ModTime: time.Now()}); err != nil {
		return 0, fmt.Errorf("write manifest: %w", err)
	}
	_, err = w.tar.Write(text)
	if err = errors.Join(err, w.tar.Close(), w.squeezed.Close(), w.file.Sync()); err != nil {
		return 0, fmt.Errorf("write archive: %w", err)
	}
	if size, err = w.file.Seek(0, io.SeekEnd); err != nil {
		return 0, fmt.Errorf("write archive: %w", err)
	}
	if err := os.Rename(w.file.Name(), w.path); err != nil {
		return 0, fmt.Errorf("write archive: %w", err)
	}
	return size, SyncDir(filepath.Dir(w.path))
}

// Close gives up an archive that was not committed.
func (w *Writer) Close() error {
	_ = w.squeezed.Close() // of no use any more, or closed
	err := os.Remove(w.file.Name())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it was committed
	}
	return errors.Join(err, w.file.Close())
}

// SyncDir puts the names in a directory on disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
