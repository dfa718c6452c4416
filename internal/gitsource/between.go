package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"batuta"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// Commit is one commit for people who look at what changes.
type Commit struct {
	Revision batuta.Revision `json:"revision"`
	Author   string          `json:"author"`
	Headline string          `json:"headline"`
	Time     time.Time       `json:"time"`
}

// knownCommits bounds how much of the history behind a revision is read to tell what
// is new after it.
const knownCommits = 5000

// Between gives the commits that a revision has and another has not: the newest
// first, at most limit. A repository elsewhere is asked for them, and for
// nothing else, for at most a few seconds. It gives none, and no error, if the
// other revision is not in the repository any more.
func (f *Fetcher) Between(ctx context.Context, repo Repository, from, to batuta.Revision, limit int) ([]Commit, error) {
	if from == "" || from == to || len(from) != len(to) || len(from) != len(plumbing.ZeroHash)*2 {
		return nil, nil
	}
	if local(repo) {
		return betweenHere(ctx, repo, from, to, limit)
	}
	repo = repo.separated()
	ctx, cancel := context.WithTimeout(ctx, betweenTime)
	defer cancel()
	news, err := f.betweenThere(ctx, repo, from, to, limit)
	if err != nil {
		return nil, explain(ctx, repo, err, betweenBytes)
	}
	return news, nil
}

// betweenHere reads what is on this machine.
func betweenHere(ctx context.Context, repo Repository, from, to batuta.Revision, limit int) ([]Commit, error) {
	objects := openObjects(repo.URL)
	before, err := object.GetCommit(objects, plumbing.NewHash(string(from)))
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, nil // it was taken out of the repository since
	} else if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", from.Short(), err)
	}
	after, err := object.GetCommit(objects, plumbing.NewHash(string(to)))
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", to.Short(), err)
	}
	known := map[plumbing.Hash]bool{}
	err = walk(ctx, object.NewCommitIterCTime(before, nil, nil), func(c *object.Commit) bool {
		known[c.Hash] = true
		return len(known) < knownCommits
	})
	if err != nil {
		return nil, err
	}
	var news []Commit
	err = walk(ctx, object.NewCommitIterCTime(after, known, nil), func(c *object.Commit) bool {
		news = append(news, shown(c))
		return len(news) < limit
	})
	return news, err
}

func shown(c *object.Commit) Commit {
	return Commit{Revision: batuta.Revision(c.Hash.String()), Author: batuta.Headline(c.Author.Name), Headline: batuta.Headline(c.Message), Time: c.Committer.When.UTC()}
}

// walk visits commits until visit has enough of them.
func walk(ctx context.Context, commits object.CommitIter, visit func(*object.Commit) bool) error {
	defer commits.Close()
	err := commits.ForEach(func(c *object.Commit) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !visit(c):
			return storer.ErrStop
		}
		return nil
	})
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the history: %w", err)
	}
	return nil
}
