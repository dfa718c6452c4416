package gitsource

import (
	"context"
	"errors"

	"batuta"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// Refs is where a repository's branches and tags are.
type Refs struct {
	Default string                     // the default branch: refs/heads/main; empty if the repository does not say
	Tips    map[string]batuta.Revision // by full name; of an annotated tag the commit
}

// Refs asks a repository for its branches and tags, and fetches nothing. The
// errors are those of Fetch.
func (f *Fetcher) Refs(ctx context.Context, repo Repository) (Refs, error) {
	repo = repo.separated()
	refs, err := listed(ctx, repo)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return Refs{Tips: map[string]batuta.Revision{}}, nil
	}
	if err != nil {
		return Refs{}, explain(ctx, repo, err, f.MaxBytes)
	}
	return refs, nil
}

func listed(ctx context.Context, repo Repository) (_ Refs, err error) {
	if local(repo) {
		return listedHere(repo.URL)
	}
	s, err := connect(ctx, repo)
	if err != nil {
		return Refs{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	has, err := s.AdvertisedReferencesContext(ctx)
	if err != nil {
		return Refs{}, err
	}
	return advertisedRefs(has)
}

// advertisedRefs reads what a server tells of itself.
func advertisedRefs(has *packp.AdvRefs) (Refs, error) {
	refs := Refs{Tips: map[string]batuta.Revision{}}
	for name, hash := range has.References {
		if peeled, ok := has.Peeled[name]; ok {
			hash = peeled
		}
		if n := plumbing.ReferenceName(name); n.IsBranch() || n.IsTag() {
			refs.Tips[name] = batuta.Revision(hash.String())
		}
	}
	all, err := has.AllReferences()
	if err != nil {
		return refs, err
	}
	if head, err := all.Reference(plumbing.HEAD); err == nil && head.Type() == plumbing.SymbolicReference {
		refs.Default = head.Target().String()
	}
	return refs, nil
}

// listedHere reads the refs of a repository on this machine.
func listedHere(path string) (Refs, error) {
	objects, refs := openObjects(path), Refs{Tips: map[string]batuta.Revision{}}
	all, err := objects.IterReferences()
	if err != nil {
		return refs, err
	}
	defer all.Close()
	err = all.ForEach(func(r *plumbing.Reference) error {
		if r.Type() != plumbing.HashReference || !r.Name().IsBranch() && !r.Name().IsTag() {
			return nil
		}
		c, err := peel(objects, r.Hash())
		if err == nil {
			refs.Tips[r.Name().String()] = batuta.Revision(c.Hash.String())
		}
		return nil // what leads to no commit cannot be run
	})
	if head, err := storer.ReferenceStorer(objects).Reference(plumbing.HEAD); err == nil {
		refs.Default = head.Target().String()
	}
	return refs, err
}
