package docker

import (
	"context"
	"errors"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
)

// RemoveImages removes the references to images that begin with a prefix,
// such as registry.example.edu/portal/. An image goes with its last reference;
// those that a container needs stay.
func (s *Ship) RemoveImages(ctx context.Context, prefix string) error {
	c, err := s.engine(ctx)
	if err != nil {
		return s.fault(err, "list images")
	}
	images, err := c.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return s.fault(err, "list images")
	}
	var all []error
	for _, i := range images {
		for _, reference := range append(i.RepoTags, i.RepoDigests...) {
			if !strings.HasPrefix(reference, prefix) {
				continue
			}
			_, err := c.ImageRemove(ctx, reference, image.RemoveOptions{PruneChildren: true})
			if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
				all = append(all, s.fault(err, "remove image %s", reference))
			}
		}
	}
	return errors.Join(all...)
}
