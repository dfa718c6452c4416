package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"batuta"
)

// Referrer is a short text that is kept beside an image: a manifest of one
// layer whose subject is the image, as in the OCI image and distribution
// specifications 1.1. A registry that does not know of referrers, as
// distribution does not, has their list under the tag sha256-HEX.
type Referrer struct {
	Artifact string            // media type of what it is
	Media    string            // media type of the content
	Content  []byte            // at most 64 KiB
	Notes    map[string]string // annotations of the content
	Labels   map[string]string // annotations of the manifest, by which it is found in the list
}

const (
	mostContent   = 64 << 10 // bytes
	mostReferrers = 32       // that are read of one image
)

// Attach keeps a referrer beside its subject, and gives its digest. The same
// one again changes nothing. Two at the same time, of one subject, may lose one
// from the list: the caller sees to that.
func (r Remote) Attach(ctx context.Context, subject batuta.Image, a Referrer) (batuta.Digest, error) {
	act := "attach to " + subject.String()
	ref, options, err := r.reach(ctx, subject)
	if err != nil {
		return "", err
	}
	of, err := remote.Head(ref, options...)
	if err != nil {
		return "", clientError(act, err)
	}
	image, err := a.image(*of)
	if err != nil {
		return "", fmt.Errorf("%s: %w", act, err)
	}
	digest, err := image.Digest()
	if err != nil {
		return "", fmt.Errorf("%s: %w", act, err)
	}
	at := ref.Context().Digest(digest.String())
	err = put(at, image, options)
	if err != nil && mend(ref, options) == nil {
		err = put(at, image, options)
	}
	return batuta.Digest(digest.String()), clientError(act, err)
}

// put writes a referrer. Its manifest is written even if it is there: it may
// not have come to the list.
func put(at name.Digest, image v1.Image, options []remote.Option) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	config, err := partial.ConfigLayer(image)
	if err != nil {
		return err
	}
	for _, l := range append(layers, config) {
		if err := remote.WriteLayer(at.Context(), l, options...); err != nil {
			return err
		}
	}
	return remote.Put(at, image, options...)
}

// image is the referrer's manifest. Its config is empty but for its type,
// which is where those look who do not know of artifactType.
func (a Referrer) image(subject v1.Descriptor) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(a.Artifact))
	image, err := mutate.Append(image, mutate.Addendum{Layer: static.NewLayer(a.Content, types.MediaType(a.Media)), Annotations: a.Notes})
	if err != nil {
		return nil, err
	}
	image = mutate.Annotations(image, a.Labels).(v1.Image)
	return mutate.Subject(image, v1.Descriptor{MediaType: subject.MediaType, Size: subject.Size, Digest: subject.Digest}).(v1.Image), nil
}

// mend takes from the list of an image's referrers, where it is a tag, those
// that somebody deleted: a registry takes no list of what it does not have.
func mend(subject name.Digest, options []remote.Option) error {
	tag := subject.Context().Tag("sha256-" + subject.DigestStr()[len("sha256:"):])
	list, err := remote.Index(tag, options...)
	if err != nil {
		return err
	}
	kept := mutate.RemoveManifests(list, func(d v1.Descriptor) bool {
		_, err := remote.Head(subject.Context().Digest(d.Digest.String()), options...)
		return errors.Is(clientError("", err), batuta.NotFound)
	})
	return remote.Put(tag, kept, options...)
}

// Referrers reads what of a kind is kept beside an image and carries the
// labels or, if nothing does, what else there is of the kind; not all of it if
// that is much.
func (r Remote) Referrers(ctx context.Context, subject batuta.Image, artifact string, labels map[string]string) ([]Referrer, error) {
	act := "look for what is attached to " + subject.String()
	ref, options, err := r.reach(ctx, subject)
	if err != nil {
		return nil, err
	}
	list, err := remote.Referrers(ref, append(options, remote.WithFilter("artifactType", artifact))...)
	if err != nil {
		return nil, clientError(act, err)
	}
	index, err := list.IndexManifest()
	if err != nil {
		return nil, clientError(act, err)
	}
	chosen := slices.DeleteFunc(slices.Clone(index.Manifests), func(d v1.Descriptor) bool { return !carries(d.Annotations, labels) })
	if len(chosen) == 0 {
		chosen = index.Manifests
	}
	var all []Referrer
	for _, d := range chosen[:min(len(chosen), mostReferrers)] {
		found, err := content(ref.Context().Digest(d.Digest.String()), d, options)
		if errors.Is(clientError("", err), batuta.NotFound) {
			continue // it is listed and gone
		}
		if err != nil {
			return nil, clientError(act, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// carries tells whether annotations have all of the labels.
func carries(annotations, labels map[string]string) bool {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if annotations[key] != labels[key] {
			return false
		}
	}
	return true
}

// content reads the layers of one referrer. What is too long is none.
func content(ref name.Digest, d v1.Descriptor, options []remote.Option) ([]Referrer, error) {
	if d.Size > mostContent {
		return nil, nil
	}
	image, err := remote.Image(ref, options...)
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	var all []Referrer
	for _, l := range manifest.Layers {
		if l.Size > mostContent {
			continue
		}
		text, err := read(ref.Context().Digest(l.Digest.String()), options)
		if err != nil {
			return nil, err
		}
		all = append(all, Referrer{Artifact: d.ArtifactType, Media: string(l.MediaType), Content: text, Notes: l.Annotations, Labels: manifest.Annotations})
	}
	return all, nil
}

func read(ref name.Digest, options []remote.Option) (text []byte, err error) {
	layer, err := remote.Layer(ref, options...)
	if err != nil {
		return nil, err
	}
	body, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	return io.ReadAll(io.LimitReader(body, mostContent))
}

// reach is an image and what its registry is asked with.
func (r Remote) reach(ctx context.Context, image batuta.Image) (name.Digest, []remote.Option, error) {
	ref, err := name.NewDigest(image.String(), r.options()...)
	if err != nil {
		return ref, nil, notAnImage(image, err)
	}
	login := authn.Anonymous
	if r.is(ref.Context()) {
		if login, err = r.login(); err != nil {
			return ref, nil, err
		}
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuth(login)}
	if r.Inside != nil && r.is(ref.Context()) {
		options = append(options, remote.WithTransport(r.Inside))
	}
	return ref, options, nil
}
