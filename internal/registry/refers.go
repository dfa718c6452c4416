package registry

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// refers tells whether a manifest refers to an image, or is a list of those
// that do. What is not there does not.
func (r *Registry) refers(ctx context.Context, repository, manifest string) bool {
	name, err := reference.WithName(repository)
	if err != nil {
		return false
	}
	dgst, err := digest.Parse(manifest)
	if err != nil {
		return false // a tag
	}
	in, err := r.store.Repository(ctx, name)
	if err != nil {
		return false
	}
	manifests, err := in.Manifests(ctx)
	if err != nil {
		return false
	}
	m, err := manifests.Get(ctx, dgst)
	if err != nil {
		return false
	}
	_, text, err := m.Payload()
	var about struct {
		Subject *v1.Descriptor `json:"subject"`
	}
	if err == nil && json.Unmarshal(text, &about) == nil && about.Subject != nil {
		return true
	}
	tags, err := in.Tags(ctx).Lookup(ctx, v1.Descriptor{Digest: dgst})
	return err == nil && slices.ContainsFunc(tags, referrersTag.MatchString)
}
