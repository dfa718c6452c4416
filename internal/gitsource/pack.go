package gitsource

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// storePack writes a pack and its index into dir. go-git's own storage would
// do so too, but would keep the files of a pack that breaks off open, and
// with them the disk full.
func storePack(dir string, from io.Reader) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	pack, err := os.CreateTemp(dir, "tmp_pack_*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pack.Close()) }()
	if _, err := io.Copy(pack, from); err != nil {
		return fmt.Errorf("receive pack: %w", err)
	}
	if _, err := pack.Seek(0, io.SeekStart); err != nil {
		return err
	}
	index := new(idxfile.Writer)
	parser, err := packfile.NewParser(packfile.NewScanner(pack), index)
	if err != nil {
		return err
	}
	checksum, err := parser.Parse()
	if err != nil {
		return fmt.Errorf("index pack: %w", err)
	}
	name := filepath.Join(dir, "pack-"+checksum.String())
	return errors.Join(writeIndex(name+".idx", index), os.Rename(pack.Name(), name+".pack"))
}

// writeIndex writes where each object is in its pack.
func writeIndex(name string, w *idxfile.Writer) (err error) {
	index, err := w.Index()
	if err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = idxfile.NewEncoder(f).Encode(index)
	return err
}

// limited passes on what it reads until there was too much of it.
type limited struct {
	from io.Reader
	left int64
}

// Read fails with errTooLarge once more than left was read.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.from.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
