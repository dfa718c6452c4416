package gitsource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"batuta"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// MergeBase finds the newest commit that two revisions have in common: where
// a branch left base, or last took it in. Head's changes are those since then.
// It is empty if they have none in common. What has to be fetched, which is
// the commits that only head has, goes beside dir and is removed. The errors
// are those of Fetch; NotFound if one of the two is there no more.
func (f *Fetcher) MergeBase(ctx context.Context, repo Repository, base, head batuta.Revision, dir string) (batuta.Revision, error) {
	repo = repo.separated()
	find := f.mergeBaseThere
	switch {
	case base == head:
		return base, nil
	case local(repo):
		find = f.mergeBaseHere
	}
	found, err := find(ctx, repo, base, head, dir)
	if err != nil {
		return "", explain(ctx, repo, err, f.MaxBytes)
	}
	return found, nil
}

// mergeBaseHere reads what is on this machine.
func (f *Fetcher) mergeBaseHere(_ context.Context, repo Repository, base, head batuta.Revision, _ string) (batuta.Revision, error) {
	one, err := openLocal(repo.URL, "", base)
	if err != nil {
		return "", err
	}
	other, err := openLocal(repo.URL, "", head)
	if err != nil {
		return "", err
	}
	common, err := one.MergeBase(other.Commit)
	if err != nil {
		return "", fmt.Errorf("read the history: %w", err)
	}
	return latest(common), nil
}

// mergeBaseThere has a server pack what is new to one who has base. The
// parents of that which it leaves out are what both have.
func (f *Fetcher) mergeBaseThere(ctx context.Context, repo Repository, base, head batuta.Revision, dir string) (_ batuta.Revision, err error) {
	scratch := dir + ".base"
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err := f.news(ctx, repo, base, head, scratch, f.MaxBytes); err != nil {
		return "", err
	}
	known, err := left(openObjects(scratch), plumbing.NewHash(string(head)))
	if err != nil || len(known) == 0 {
		return "", err
	}
	if len(known) == 1 {
		return batuta.Revision(known[0].String()), nil
	}
	var commits []*object.Commit
	for _, hash := range known {
		c, err := f.download(ctx, repo, "", batuta.Revision(hash.String()), scratch)
		if err != nil {
			return "", err
		}
		commits = append(commits, c.Commit)
	}
	return latest(commits), nil
}

// left is the commits that a revision leads to and that were not sent; it is
// the revision if that was not.
func left(objects storer.EncodedObjectStorer, head plumbing.Hash) ([]plumbing.Hash, error) {
	var known []plumbing.Hash
	err := ahead(objects, head, func(*object.Commit) {}, func(hash plumbing.Hash) { known = append(known, hash) })
	return known, err
}

// latest is the commit that was made last: of those that a branch took in one
// after the other, the last. Which of two histories that crossed is the one is
// for nobody to say, and git takes any.
func latest(commits []*object.Commit) batuta.Revision {
	if len(commits) == 0 {
		return ""
	}
	last := slices.MaxFunc(commits, func(a, b *object.Commit) int { return a.Committer.When.Compare(b.Committer.When) })
	return batuta.Revision(last.Hash.String())
}
