package gitsource

import (
	"context"
	"errors"
	"os"
	"slices"

	"batuta"

	"github.com/go-git/go-git/v5/plumbing/object"
)

// Changed lists the paths of which two revisions have different content,
// sorted; a renamed file is two. Ref is where the later was seen last. What
// has to be fetched goes to dir+".from" and dir+".to", which are removed. The
// errors are those of Fetch; NotFound if one of the two is there no more, as
// after a force push.
func (f *Fetcher) Changed(ctx context.Context, repo Repository, ref string, from, to batuta.Revision, dir string) ([]string, error) {
	repo = repo.separated()
	paths, err := f.changed(ctx, repo, ref, from, to, dir)
	if err != nil {
		return nil, explain(ctx, repo, err, f.MaxBytes)
	}
	return paths, nil
}

func (f *Fetcher) changed(ctx context.Context, repo Repository, ref string, from, to batuta.Revision, dir string) (_ []string, err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(dir+".from"), os.RemoveAll(dir+".to")) }()
	before, err := f.treeOf(ctx, repo, ref, from, dir+".from")
	if err != nil {
		return nil, err
	}
	after, err := f.treeOf(ctx, repo, ref, to, dir+".to")
	if err != nil {
		return nil, err
	}
	changes, err := object.DiffTreeContext(ctx, before, after)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, c := range changes {
		for _, name := range []string{c.From.Name, c.To.Name} {
			if name != "" {
				paths = append(paths, name)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// treeOf opens a revision's tree, fetched if it is not on this machine.
func (f *Fetcher) treeOf(ctx context.Context, repo Repository, ref string, rev batuta.Revision, scratch string) (*object.Tree, error) {
	var found commit
	var err error
	if local(repo) {
		found, err = openLocal(repo.URL, ref, rev)
	} else {
		found, err = f.download(ctx, repo, ref, rev, scratch)
	}
	if err != nil {
		return nil, err
	}
	return found.Tree()
}
