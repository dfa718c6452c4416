package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"golang.org/x/sys/unix"
)

// entryCost is what every file and directory counts beside its content, so
// that a tree of countless empty ones is too large as well.
const entryCost = 512

// checkout writes the commit's tree into a new directory dir.
func checkout(ctx context.Context, c commit, dir string, maxBytes int64) (err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	w := &writer{objects: c.objects, root: root, left: maxBytes, buffer: make([]byte, 128<<10)}
	if err := w.directory(ctx, root, ".", c.TreeHash); err != nil {
		return err
	}
	if err := w.symlinks(); err != nil {
		return err
	}
	return w.stamp(c.Committer.When)
}

// writer writes one tree.
type writer struct {
	objects storer.EncodedObjectStorer
	root    *os.Root
	left    int64    // bytes that may still be written
	dirs    []string // all directories, by path in the tree
	files   []string // all files
	links   []link   // all symbolic links, made when all else is there
	buffer  []byte
}

// link is a symbolic link of the tree.
type link struct{ path, target string }

// directory fills at, which is name in the tree.
func (w *writer) directory(ctx context.Context, at *os.Root, name string, hash plumbing.Hash) error {
	w.dirs = append(w.dirs, name)
	tree, err := object.GetTree(w.objects, hash)
	if err != nil {
		return fmt.Errorf("read directory %q: %w", name, err)
	}
	for _, e := range tree.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := checkName(name, e.Name); err != nil {
			return err
		}
		if w.left -= entryCost; w.left < 0 {
			return errTooLarge
		}
		if err := w.entry(ctx, at, path.Join(name, e.Name), e); err != nil {
			return err
		}
	}
	return nil
}

// entry writes one entry of the directory at; full is its path in the tree.
func (w *writer) entry(ctx context.Context, at *os.Root, full string, e object.TreeEntry) error {
	switch e.Mode {
	case filemode.Dir:
		return w.subdirectory(ctx, at, full, e)
	case filemode.Submodule: // never fetched: its place stays empty
		w.dirs = append(w.dirs, full)
		return writing(full, at.Mkdir(e.Name, 0o755))
	case filemode.Symlink:
		target, err := w.linkTarget(full, e.Hash)
		w.links = append(w.links, link{path: full, target: target})
		return err
	case filemode.Executable:
		return w.file(at, full, e, 0o755)
	case filemode.Regular, filemode.Deprecated:
		return w.file(at, full, e, 0o644)
	}
	return refuse(full, fmt.Sprintf("has the unknown mode %v", e.Mode))
}

// subdirectory makes and fills a directory.
func (w *writer) subdirectory(ctx context.Context, at *os.Root, full string, e object.TreeEntry) (err error) {
	if err := at.Mkdir(e.Name, 0o755); err != nil {
		return writing(full, err)
	}
	sub, err := at.OpenRoot(e.Name)
	if err != nil {
		return writing(full, err)
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	return w.directory(ctx, sub, full, e.Hash)
}

// file writes a file, with exactly the mode that git keeps of it.
func (w *writer) file(at *os.Root, full string, e object.TreeEntry, mode os.FileMode) (err error) {
	content, err := w.open(full, e.Hash)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	out, err := at.OpenFile(e.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return writing(full, err)
	}
	w.files = append(w.files, full)
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, content, w.buffer)
	return writing(full, errors.Join(err, out.Chmod(mode), out.Close()))
}

// open gives the content of a blob, if there is room for it.
func (w *writer) open(full string, hash plumbing.Hash) (io.ReadCloser, error) {
	blob, err := object.GetBlob(w.objects, hash)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", full, err)
	}
	if w.left -= blob.Size; w.left < 0 {
		return nil, errTooLarge
	}
	return blob.Reader()
}

// stamp gives everything the time of the commit, so that the same revision is
// the same tree down to the last bit, whenever it is fetched.
func (w *writer) stamp(when time.Time) error {
	for _, l := range w.links {
		ts := unix.NsecToTimespec(when.UnixNano())
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, path.Join(w.root.Name(), l.path), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return writing(l.path, err)
		}
	}
	for _, names := range [][]string{w.files, w.dirs} {
		for _, name := range names {
			if err := w.root.Chtimes(name, when, when); err != nil {
				return writing(name, err)
			}
		}
	}
	return nil
}

// writing says which file an error is about.
func writing(full string, err error) error {
	if err != nil {
		return fmt.Errorf("write %q: %w", full, err)
	}
	return nil
}
