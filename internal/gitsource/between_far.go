package gitsource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"batuta"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

const (
	// betweenTime bounds how long a repository elsewhere is asked what lies
	// between two revisions: somebody waits for the answer, and can do without.
	betweenTime = 5 * time.Second
	// betweenBytes bounds what it may send: a commit has some 250 bytes, but
	// not every server leaves out what the commits changed.
	betweenBytes = 16 << 20
)

// betweenThere has a server pack the commits for one who has the earlier
// revision: they are what is new, and all that is sent.
func (f *Fetcher) betweenThere(ctx context.Context, repo Repository, from, to batuta.Revision, limit int) (news []Commit, err error) {
	scratch, err := os.MkdirTemp("", "batuta-between-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	err = f.news(ctx, repo, from, to, scratch, betweenBytes)
	if errors.Is(err, errGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newest(openObjects(scratch), plumbing.NewHash(string(to)), limit)
}

// news brings the commits that a revision has and another has not into
// scratch, at most so many bytes; errGone says that one of them is not there.
func (f *Fetcher) news(ctx context.Context, repo Repository, from, to batuta.Revision, scratch string, bytes int64) error {
	_, err := f.converse(ctx, repo, func(s session, has *packp.AdvRefs) (commit, error) {
		req := packp.NewUploadPackRequestFromCapabilities(has.Capabilities)
		req.Wants, req.Haves = []plumbing.Hash{plumbing.NewHash(string(to))}, []plumbing.Hash{plumbing.NewHash(string(from))}
		if has.Capabilities.Supports(capability.Filter) {
			req.Filter = packp.FilterTreeDepth(0)
			if err := req.Capabilities.Set(capability.Filter); err != nil {
				return commit{}, err
			}
		}
		return commit{}, receiveNews(ctx, s, req, scratch, bytes)
	})
	if err != nil && notOurs(err) {
		return errGone
	}
	return err
}

// receiveNews puts what the server packs into dir; errGone says that it does
// not know what the other side has.
func receiveNews(ctx context.Context, s session, req *packp.UploadPackRequest, dir string, bytes int64) (err error) {
	answer, err := s.UploadPack(ctx, req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Close()) }()
	if !slices.Contains(answer.ACKs, req.Haves[0]) {
		return errGone
	}
	return storePack(filepath.Join(dir, "objects", "pack"), &limited{from: packOf(req, answer), left: bytes})
}

// newest is the commits that a revision leads to as far as they were sent, the
// newest first.
func newest(objects storer.EncodedObjectStorer, to plumbing.Hash, limit int) ([]Commit, error) {
	var news []Commit
	err := ahead(objects, to, func(c *object.Commit) { news = append(news, shown(c)) }, func(plumbing.Hash) {})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(news, func(a, b Commit) int { return b.Time.Compare(a.Time) })
	return news[:min(len(news), limit)], nil
}

// ahead visits what a revision leads to: the commits that are here, and those
// beyond them that are not, each once.
func ahead(objects storer.EncodedObjectStorer, from plumbing.Hash, here func(*object.Commit), beyond func(plumbing.Hash)) error {
	seen, next := map[plumbing.Hash]bool{from: true}, []plumbing.Hash{from}
	for len(next) > 0 {
		hash := next[0]
		next = next[1:]
		c, err := object.GetCommit(objects, hash)
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			beyond(hash)
			continue
		} else if err != nil {
			return fmt.Errorf("read the history: %w", err)
		}
		here(c)
		for _, parent := range c.ParentHashes {
			if !seen[parent] {
				seen[parent] = true
				next = append(next, parent)
			}
		}
	}
	return nil
}
