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
	_, err = f.converse(ctx, repo, func(s session, has *packp.AdvRefs) (commit, error) {
		req := packp.NewUploadPackRequestFromCapabilities(has.Capabilities)
		req.Wants, req.Haves = []plumbing.Hash{plumbing.NewHash(string(to))}, []plumbing.Hash{plumbing.NewHash(string(from))}
		if has.Capabilities.Supports(capability.Filter) {
			req.Filter = packp.FilterTreeDepth(0)
			if err := req.Capabilities.Set(capability.Filter); err != nil {
				return commit{}, err
			}
		}
		return commit{}, receiveNews(ctx, s, req, scratch)
	})
	if errors.Is(err, errGone) || err != nil && notOurs(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newest(openObjects(scratch), plumbing.NewHash(string(to)), limit)
}

// receiveNews puts what the server packs into dir; errGone says that it does
// not know what the other side has.
func receiveNews(ctx context.Context, s session, req *packp.UploadPackRequest, dir string) (err error) {
	answer, err := s.UploadPack(ctx, req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Close()) }()
	if !slices.Contains(answer.ACKs, req.Haves[0]) {
		return errGone
	}
	return storePack(filepath.Join(dir, "objects", "pack"), &limited{from: packOf(req, answer), left: betweenBytes})
}

// newest is the commits that a revision leads to as far as they were sent, the
// newest first.
func newest(objects storer.EncodedObjectStorer, to plumbing.Hash, limit int) ([]Commit, error) {
	var news []Commit
	seen, ahead := map[plumbing.Hash]bool{to: true}, []plumbing.Hash{to}
	for len(ahead) > 0 {
		c, err := object.GetCommit(objects, ahead[0])
		ahead = ahead[1:]
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			continue // known before
		} else if err != nil {
			return nil, fmt.Errorf("read the history: %w", err)
		}
		news = append(news, shown(c))
		for _, parent := range c.ParentHashes {
			if !seen[parent] {
				seen[parent] = true
				ahead = append(ahead, parent)
			}
		}
	}
	slices.SortStableFunc(news, func(a, b Commit) int { return b.Time.Compare(a.Time) })
	return news[:min(len(news), limit)], nil
}
