// Package gitsource puts one revision's tree on disk: from a forge over HTTP
// or SSH, as shallow as the forge allows, or straight from a bare repository
// of the embedded remote. It runs no git, no hook and no filter, and writes
// nothing outside the directory it is given. Package builder goes on from
// there.
package gitsource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"batuta"

	"github.com/go-git/go-git/v5/plumbing"
)

// Repository is where an app's sources are. It prints without its secrets.
type Repository struct {
	// URL is http://, https://, ssh:// or user@host:path. An absolute path is
	// a bare repository on this machine; only the server itself gives one.
	URL         string
	Credentials Credentials
}

// String is the URL without a user or a password.
func (r Repository) String() string {
	if u, err := url.Parse(r.URL); err == nil {
		u.User = nil
		return u.String()
	}
	return r.URL[strings.LastIndex(r.URL, "@")+1:]
}

// separated moves a user and a password from an HTTP address to where
// credentials belong, unless there are others: an address shows in errors.
func (r Repository) separated() Repository {
	u, err := url.Parse(r.URL)
	if err != nil || u.User == nil || u.Scheme == "ssh" {
		return r
	}
	if r.Credentials.basic() == nil {
		password, _ := u.User.Password()
		r.Credentials.User, r.Credentials.Password = u.User.Username(), password
	}
	u.User = nil
	r.URL = u.String()
	return r
}

// GoString is String: what %#v prints holds no secret either.
func (r Repository) GoString() string { return r.String() }

// LogValue is String, for package slog.
func (r Repository) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Tree is one revision on disk.
type Tree struct {
	Dir      string          // holds the files, and no .git
	Revision batuta.Revision // its commit
	Message  string          // the first paragraph of the commit's message, on one line
	Text     string          // the whole message, at most 16 KB of it
	Author   string          // the author's name
	Time     time.Time       // when it was committed; also the modification time of every file
}

// Fetcher fetches trees; many at a time, if need be.
type Fetcher struct {
	// MaxBytes is when a fetch stops: as soon as what it receives, or what it
	// writes, is larger. It must be positive.
	MaxBytes int64
}

// Fetch puts revision rev of repo into dir, replacing what is there once all
// of it has arrived. Beside dir it uses dir+".git" and dir+".part", and
// removes them, also those of an attempt that was killed.
//
// ref is where rev was seen last: refs/heads/main, main, v1.0; it helps with
// servers that do not give out single commits. With an empty rev the tip of
// ref is fetched, or the commit if ref is a full hash; with an empty ref, that
// of the repository's default branch.
//
// Errors are NotFound (no such repository, ref or revision), Denied
// (credentials), Unavailable (the server), Invalid (an empty or too large
// repository, a tree that is not safe to write); none shows a credential.
func (f *Fetcher) Fetch(ctx context.Context, repo Repository, ref string, rev batuta.Revision, dir string) (Tree, error) {
	repo = repo.separated()
	if rev == "" && batuta.CheckRevision(ref) == nil {
		ref, rev = "", batuta.Revision(ref)
	}
	if rev != "" && len(rev) != len(plumbing.ZeroHash)*2 {
		return Tree{}, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("fetch %s: %s is not a SHA-1 commit hash", repo, rev), Hint: "repositories with SHA-256 hashes cannot be read yet"}
	}
	tree, err := f.fetch(ctx, repo, ref, rev, dir)
	if local(repo) && errors.Is(err, plumbing.ErrObjectNotFound) {
		// git packed the repository while we read it
		tree, err = f.fetch(ctx, repo, ref, rev, dir)
	}
	if err != nil {
		return Tree{}, explain(ctx, repo, err, f.MaxBytes)
	}
	return tree, nil
}

// fetch is one attempt.
func (f *Fetcher) fetch(ctx context.Context, repo Repository, ref string, rev batuta.Revision, dir string) (_ Tree, err error) {
	scratch, part := dir+".git", dir+".part"
	clean := func() error { return errors.Join(os.RemoveAll(scratch), os.RemoveAll(part)) }
	if err := errors.Join(clean(), os.MkdirAll(filepath.Dir(dir), 0o755)); err != nil {
		return Tree{}, err
	}
	defer func() { err = errors.Join(err, clean()) }()

	var found commit
	if local(repo) {
		found, err = openLocal(repo.URL, ref, rev)
	} else {
		found, err = f.download(ctx, repo, ref, rev, scratch)
	}
	if err != nil {
		return Tree{}, err
	}
	if err := checkout(ctx, found, part, f.MaxBytes); err != nil {
		return Tree{}, err
	}
	if err := errors.Join(os.RemoveAll(dir), os.Rename(part, dir)); err != nil {
		return Tree{}, err
	}
	return describe(found, dir), nil
}

// maxText bounds Tree.Text.
const maxText = 16 << 10

// describe tells what was fetched.
func describe(c commit, dir string) Tree {
	subject, _, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n\n")
	return Tree{
		Dir:      dir,
		Revision: batuta.Revision(c.Hash.String()),
		Message:  strings.Join(strings.Fields(subject), " "),
		Text:     strings.ToValidUTF8(c.Message[:min(len(c.Message), maxText)], ""),
		Author:   c.Author.Name,
		Time:     c.Committer.When.UTC(),
	}
}
