package gitsource

import (
	"errors"
	"os"
	"path/filepath"

	"batuta"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// commit is a commit and the objects that it was found among.
type commit struct {
	*object.Commit
	objects storer.EncodedObjectStorer
}

// local tells whether the repository is on this machine.
func local(r Repository) bool { return filepath.IsAbs(r.URL) }

// openLocal finds the commit in a bare repository, which is only read.
func openLocal(path, ref string, rev batuta.Revision) (commit, error) {
	if _, err := os.Stat(filepath.Join(path, "HEAD")); errors.Is(err, os.ErrNotExist) {
		return commit{}, transport.ErrEmptyRemoteRepository // made by the first push
	}
	objects := openObjects(path)
	if rev != "" {
		return peel(objects, plumbing.NewHash(string(rev)))
	}
	hash, ok := tip(ref, func(name plumbing.ReferenceName) (plumbing.Hash, bool) {
		r, err := storer.ResolveReference(objects, name)
		if err != nil {
			return plumbing.ZeroHash, false
		}
		return r.Hash(), true
	})
	if ok {
		return peel(objects, hash)
	}
	if empty(objects) {
		return commit{}, transport.ErrEmptyRemoteRepository
	}
	return commit{}, &missingRef{ref}
}

// openObjects opens a repository's files. Larger blobs stream instead of
// being held in memory.
func openObjects(path string) *filesystem.Storage {
	return filesystem.NewStorageWithOptions(osfs.New(path), cache.NewObjectLRUDefault(), filesystem.Options{LargeObjectThreshold: 4 << 20})
}

// empty tells whether the repository has no branch and no tag.
func empty(refs storer.ReferenceStorer) bool {
	all, err := refs.IterReferences()
	if err != nil {
		return false
	}
	defer all.Close()
	found := errors.New("found")
	return all.ForEach(func(r *plumbing.Reference) error {
		if r.Type() == plumbing.HashReference {
			return found
		}
		return nil
	}) == nil
}

// tip finds what ref means among the refs that a repository has: a full name,
// a branch, a tag, or with an empty ref the default branch.
func tip(ref string, lookup func(plumbing.ReferenceName) (plumbing.Hash, bool)) (plumbing.Hash, bool) {
	names := []plumbing.ReferenceName{plumbing.NewBranchReferenceName(ref), plumbing.NewTagReferenceName(ref)}
	if full := plumbing.ReferenceName(ref); full.IsBranch() || full.IsTag() || full == plumbing.HEAD {
		names = []plumbing.ReferenceName{full}
	} else if ref == "" {
		names = []plumbing.ReferenceName{plumbing.HEAD}
	}
	for _, name := range names {
		if hash, ok := lookup(name); ok {
			return hash, true
		}
	}
	return plumbing.ZeroHash, false
}

// peel follows annotated tags to their commit.
func peel(objects storer.EncodedObjectStorer, hash plumbing.Hash) (commit, error) {
	const nested = 10 // tags of tags
	for range nested {
		found, err := object.GetObject(objects, hash)
		if err != nil {
			return commit{}, err
		}
		switch o := found.(type) {
		case *object.Commit:
			return commit{Commit: o, objects: objects}, nil
		case *object.Tag:
			hash = o.Target
		default:
			return commit{}, errNotACommit
		}
	}
	return commit{}, errNotACommit
}
