package builder

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"batuta"
)

const stayInside = "write a path within the repository, relative to its root"

// directory opens a directory of the source for a daemon to read. What is its
// key in the recipe.
func (b *Builder) directory(r Request, what, dir string) (fsutil.FS, error) {
	tree, err := os.OpenRoot(r.Source)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	info, err := tree.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, invalid("paths are relative to the root of the repository", "%s: there is no directory %q in the source", what, dir)
	case err != nil:
		return nil, &batuta.Error{Kind: batuta.Invalid, Message: what + ": cannot use " + dir, Hint: stayInside, Err: err}
	case !info.IsDir():
		return nil, invalid("", "%s: %q is not a directory", what, dir)
	}
	files, err := fsutil.NewFS(filepath.Join(r.Source, dir))
	if err != nil {
		return nil, err
	}
	times := b.times
	if r.Recipe.NoCache {
		times = datedBy(r.Time)
	}
	setTime := times.of(r.sharedKey()+":"+what, filepath.Join(r.Source, dir))
	return fsutil.NewFilterFS(files, &fsutil.FilterOpt{Map: func(p string, s *types.Stat) fsutil.MapResult {
		// What Git keeps for itself may hold credentials, and differs between checkouts.
		if path.Base(p) == ".git" {
			if fs.FileMode(s.Mode).IsDir() {
				return fsutil.MapResultSkipDir
			}
			return fsutil.MapResultExclude
		}
		return setTime(p, s)
	}})
}

// file reads a Dockerfile of the source.
func file(source, name string) ([]byte, error) {
	tree, err := os.OpenRoot(source)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	text, err := tree.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, invalid("paths are relative to the root of the repository", "there is no Dockerfile at %q in the source", name)
	case err != nil:
		return nil, &batuta.Error{Kind: batuta.Invalid, Message: "cannot read the Dockerfile " + name, Hint: stayInside, Err: err}
	}
	return text, nil
}
