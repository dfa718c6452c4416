package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"batuta"
)

// Prune removes the images of the repositories that are not to be kept and
// that no container was made of, and says which: repository@digest, sorted.
// What is removed is their names in these repositories, a tag among them. The
// content goes with the last name: an image that has a name elsewhere stays
// under that. The error tells all that could not be removed; the list is right
// all the same.
func (s *Ship) Prune(ctx context.Context, repositories []string, keep []batuta.Image) ([]string, error) {
	useless, err := s.useless(ctx, repositories, keep)
	all := []error{err}
	var removed []string
	for _, names := range useless {
		gone, err := s.untag(ctx, names)
		if gone {
			removed = append(removed, names.digests...)
		}
		all = append(all, err)
	}
	slices.Sort(removed)
	return removed, s.fault(errors.Join(all...), "prune images")
}

// useless lists the images that may go, by their names. The containers are
// asked for after the images: one may have been made of an image just now.
func (s *Ship) useless(ctx context.Context, repositories []string, keep []batuta.Image) ([]imageNames, error) {
	c, err := s.engine(ctx)
	if err != nil {
		return nil, err
	}
	images, err := c.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil, err
	}
	containers, err := c.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, err
	}
	needed := map[string]bool{}
	for _, l := range containers {
		needed[l.ImageID] = true
	}
	kept := map[string]bool{}
	for _, k := range keep {
		kept[familiar(k.Repository)+"@"+string(k.Digest)] = true
	}
	var out []imageNames
	for _, i := range images {
		names := namesIn(repositories, i)
		isKept := slices.ContainsFunc(i.RepoDigests, func(digest string) bool { return kept[digest] })
		if len(names.digests) > 0 && !needed[i.ID] && !isKept {
			out = append(out, names)
		}
	}
	return out, nil
}

// imageNames are the names that an image has in some repositories, as these
// were given.
type imageNames struct {
	digests []string // repository@digest
	tags    []string // repository:tag
}

func namesIn(repositories []string, i image.Summary) imageNames {
	var names imageNames
	for _, repository := range repositories {
		short := familiar(repository)
		for _, digest := range i.RepoDigests {
			if rest, ours := strings.CutPrefix(digest, short+"@"); ours {
				names.digests = append(names.digests, repository+"@"+rest)
			}
		}
		for _, tag := range i.RepoTags {
			if rest, ours := strings.CutPrefix(tag, short+":"); ours && !strings.Contains(rest, "/") { // else it is a registry's port
				names.tags = append(names.tags, repository+":"+rest)
			}
		}
	}
	return names
}

// familiar is a repository as the Engine lists it: nginx for
// docker.io/library/nginx.
func familiar(repository string) string {
	named, err := reference.ParseNormalizedNamed(repository)
	if err != nil {
		return repository
	}
	return reference.FamiliarName(named)
}

// untag removes an image's names, and tells whether they are gone. One that a
// container has been made of meanwhile stays.
func (s *Ship) untag(ctx context.Context, names imageNames) (bool, error) {
	for _, name := range slices.Concat(names.tags, names.digests) {
		_, err := s.client.ImageRemove(ctx, name, image.RemoveOptions{})
		switch {
		case errdefs.IsNotFound(err): // with the last tag in a repository go its digests
		case errdefs.IsConflict(err):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("remove image %s: %w", name, err)
		}
	}
	return true, nil
}
