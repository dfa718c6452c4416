package gitsource

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"batuta"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxTarget is the longest target of a symbolic link, as in Linux.
const maxTarget = 4095

// checkName refuses a name that git would not have written, and that could
// lead out of the tree or into a repository: a tree can be made by hand.
func checkName(in, name string) error {
	switch {
	case name == "", name == ".", name == "..", strings.ContainsAny(name, "/\x00"):
		return refuse(strings.TrimPrefix(in+"/"+name, "./"), "is not a file name") // not joined: that would clean it
	case strings.EqualFold(name, ".git"), strings.EqualFold(name, "git~1"):
		return refuse(path.Join(in, name), "would be taken for a repository")
	}
	return nil
}

// linkTarget reads a symbolic link and refuses one that, by its words alone,
// leaves the tree.
func (w *writer) linkTarget(full string, hash plumbing.Hash) (_ string, err error) {
	content, err := w.open(full, hash)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	b, err := io.ReadAll(io.LimitReader(content, maxTarget+1))
	if err != nil {
		return "", fmt.Errorf("read %q: %w", full, err)
	}
	target := string(b)
	inside := path.Join(path.Dir(full), target)
	switch {
	case target == "", len(target) > maxTarget, strings.Contains(target, "\x00"):
		return "", refuse(full, "is a symbolic link without a proper target")
	case path.IsAbs(target):
		return "", refuse(full, fmt.Sprintf("is a symbolic link to the absolute path %q", target))
	case inside == "..", strings.HasPrefix(inside, "../"):
		return "", refuse(full, fmt.Sprintf("is a symbolic link that leads outside the repository, to %q", target))
	}
	return target, nil
}

// symlinks makes the symbolic links, after everything else so that nothing is
// ever written through one, and then follows each: one that leads outside by
// way of another is refused as well.
func (w *writer) symlinks() error {
	for _, l := range w.links {
		if err := w.root.Symlink(l.target, l.path); err != nil {
			return writing(l.path, err)
		}
	}
	for _, l := range w.links {
		_, err := w.root.Stat(l.path)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENOTDIR):
		default:
			return refuse(l.path, fmt.Sprintf("is a symbolic link that leads outside the repository, to %q", l.target))
		}
	}
	return nil
}

// refuse names the entry that makes a tree unsafe to write.
func refuse(full, why string) error {
	return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q %s", full, why), Hint: "remove it from the repository, and push again"}
}
