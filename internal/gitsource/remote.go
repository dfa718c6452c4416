package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"batuta"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// session is one conversation with a git-upload-pack: it tells what it has,
// then packs what it is asked for.
type session interface {
	AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error)
	UploadPack(context.Context, *packp.UploadPackRequest) (*packp.UploadPackResponse, error)
	io.Closer
}

// download brings the commit, and as little else as the server allows, into
// scratch.
func (f *Fetcher) download(ctx context.Context, repo Repository, ref string, rev batuta.Revision, scratch string) (commit, error) {
	var requests []request
	for i := 0; i == 0 || i < len(requests); i++ {
		found, err := f.converse(ctx, repo, func(s session, has *packp.AdvRefs) (_ commit, err error) {
			if i == 0 {
				if requests, err = plan(has, ref, rev); err != nil {
					return commit{}, err
				}
			}
			return f.ask(ctx, s, has, requests[i], scratch)
		})
		if !errors.Is(err, errGone) {
			return found, err
		}
	}
	return commit{}, errGone
}

// converse opens a conversation, hears what the server has, and asks.
func (f *Fetcher) converse(ctx context.Context, repo Repository, ask func(session, *packp.AdvRefs) (commit, error)) (_ commit, err error) {
	s, err := connect(ctx, repo)
	if err != nil {
		return commit{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	has, err := s.AdvertisedReferencesContext(ctx)
	if err != nil {
		return commit{}, err
	}
	return ask(s, has)
}

// request is one thing to ask a server for.
type request struct {
	wants  []plumbing.Hash
	depth  int           // of history; 0 is all of it
	commit plumbing.Hash // what must be in the answer: a commit, or a tag of it
}

// plan is what to ask for, the cheapest first, until the commit is found.
func plan(has *packp.AdvRefs, ref string, rev batuta.Revision) ([]request, error) {
	head, known := tip(ref, func(name plumbing.ReferenceName) (plumbing.Hash, bool) {
		if name == plumbing.HEAD {
			return valueOf(has.Head)
		}
		hash, ok := has.References[name.String()]
		return hash, ok
	})
	if rev == "" {
		if !known {
			return nil, &missingRef{ref}
		}
		return []request{{wants: []plumbing.Hash{head}, depth: 1, commit: head}}, nil
	}
	hash := plumbing.NewHash(string(rev))
	var requests []request
	if at, ok := advertised(has, hash); ok {
		requests = append(requests, request{wants: []plumbing.Hash{at}, depth: 1, commit: hash})
	}
	if has.Capabilities.Supports(capability.AllowReachableSHA1InWant) {
		return append(requests, request{wants: []plumbing.Hash{hash}, depth: 1, commit: hash}), nil
	}
	if known {
		requests = append(requests, request{wants: []plumbing.Hash{head}, commit: hash})
	}
	return append(requests, request{wants: everything(has), commit: hash}), nil
}

// advertised gives what to ask for to get commit, if a ref is just there.
func advertised(has *packp.AdvRefs, commit plumbing.Hash) (plumbing.Hash, bool) {
	for name, hash := range has.References {
		if hash == commit || has.Peeled[name] == commit {
			return hash, true
		}
	}
	return plumbing.ZeroHash, false
}

// everything is all branches and tags.
func everything(has *packp.AdvRefs) []plumbing.Hash {
	var all []plumbing.Hash
	for name, hash := range has.References {
		if n := plumbing.ReferenceName(name); n.IsBranch() || n.IsTag() {
			all = append(all, hash)
		}
	}
	slices.SortFunc(all, func(a, b plumbing.Hash) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

// valueOf is the hash, if there is one.
func valueOf(hash *plumbing.Hash) (plumbing.Hash, bool) {
	if hash == nil {
		return plumbing.ZeroHash, false
	}
	return *hash, true
}

// ask makes one request and finds its commit in the answer; errGone says that
// it is not there.
func (f *Fetcher) ask(ctx context.Context, s session, has *packp.AdvRefs, r request, scratch string) (commit, error) {
	if len(r.wants) == 0 {
		return commit{}, errGone
	}
	req := packp.NewUploadPackRequestFromCapabilities(has.Capabilities)
	req.Wants = r.wants
	if r.depth > 0 && has.Capabilities.Supports(capability.Shallow) {
		req.Depth = packp.DepthCommits(r.depth)
		if err := req.Capabilities.Set(capability.Shallow); err != nil {
			return commit{}, err
		}
	}
	if err := f.receive(ctx, s, req, scratch); err != nil {
		if notOurs(err) {
			return commit{}, errGone
		}
		return commit{}, err
	}
	found, err := peel(openObjects(scratch), r.commit)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return commit{}, errGone
	}
	return found, err
}

// receive puts the pack that the server sends into dir.
func (f *Fetcher) receive(ctx context.Context, s session, req *packp.UploadPackRequest, dir string) (err error) {
	answer, err := s.UploadPack(ctx, req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Close()) }()
	return storePack(filepath.Join(dir, "objects", "pack"), &limited{from: packOf(req, answer), left: f.MaxBytes})
}

// packOf is the pack in an answer, without what the server says beside it.
func packOf(req *packp.UploadPackRequest, answer io.Reader) io.Reader {
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, answer)
	case req.Capabilities.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, answer)
	}
	return answer
}

// notOurs recognises upload-pack's refusal of a commit that it does not have
// or does not show: an ERR line "upload-pack: not our ref HASH" (git's
// upload-pack.c; go-git passes it on as text).
func notOurs(err error) bool { return strings.Contains(err.Error(), "not our ref") }

// connect opens a conversation over the protocol that the address names.
func connect(ctx context.Context, repo Repository) (session, error) {
	at, err := endpoint(repo)
	if err != nil {
		return nil, err
	}
	switch at.Protocol {
	case "http", "https":
		return dialHTTP(at, repo.Credentials)
	case "ssh":
		return dialSSH(ctx, at, repo.Credentials)
	}
	return nil, fmt.Errorf("%w: use https://, http://, ssh:// or user@host:path", errAddress)
}

// endpoint reads the address.
func endpoint(repo Repository) (*transport.Endpoint, error) {
	at, err := transport.NewEndpoint(repo.URL)
	if err != nil || at.Host == "" {
		return nil, errAddress
	}
	at.Password = ""
	return at, nil
}
