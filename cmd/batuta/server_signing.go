package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"batuta"
	"batuta/internal/registry"
	"batuta/internal/signing"
	"batuta/pipeline"
)

// signingKey is the file of the server's key pair in the data directory.
const signingKey = "signing.key"

// newestReleases are the ones that the server has of its apps.
func (s *server) newestReleases(ctx context.Context) (signing.Older, error) {
	newest := signing.Older{}
	for app := range s.config.Apps {
		releases, err := s.store.Releases(ctx, app, 1)
		if err != nil {
			return nil, err
		}
		if len(releases) > 0 {
			newest[app] = releases[0].Number
		}
	}
	return newest, nil
}

// signer keeps signatures by the server's key beside the images.
type signer struct {
	*server
	writing sync.Mutex // an image's list of signatures is read, and written with one more
}

var _ pipeline.Signer = (*signer)(nil)

// releaseLabel is the annotation by which a release's signatures are found
// among those of others that have the same image. It is no proof.
const releaseLabel = "batuta.release"

func labelsOf(r batuta.Release) map[string]string {
	return map[string]string{releaseLabel: strconv.Itoa(int(r.Number))}
}

// Sign signs an image of a release, and keeps that in the image's registry. For
// what is no image of it, which no registry has, it signs the release alone.
func (s *signer) Sign(ctx context.Context, r batuta.Release, image batuta.ImageName) (pipeline.Signature, error) {
	signature, err := s.signing.Sign(r, image)
	if err != nil {
		return pipeline.Signature{}, err
	}
	if _, has := r.Images[image]; !has {
		return pipeline.Signature{Payload: string(signature.Payload), Base64: signature.Base64}, nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	digest, err := s.imageRegistry(s.robots.sign).Attach(ctx, r.Images[image], registry.Referrer{
		Artifact: signing.Artifact, Media: signing.Payload, Content: signature.Payload,
		Notes: map[string]string{signing.Annotation: signature.Base64}, Labels: labelsOf(r),
	})
	return pipeline.Signature{Digest: digest, Payload: string(signature.Payload), Base64: signature.Base64}, err
}

// lookTimeout bounds how long a registry may take to give an image's
// signatures.
const lookTimeout = time.Minute

// Verify looks for that signature. A registry that does not answer is
// batuta.Unavailable, one that does not have the image batuta.NotFound.
func (s *signer) Verify(ctx context.Context, r batuta.Release, image batuta.ImageName) (bool, error) {
	if s.signing.Younger(r.App, r.Number) {
		return false, nil
	}
	if _, has := r.Images[image]; !has {
		return false, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("release %d has no image %q", r.Number, image)}
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	at := s.imageRegistry(s.robots.sign)
	if has, err := at.Has(ctx, r.Images[image]); err != nil {
		return false, err
	} else if !has {
		return false, &batuta.Error{Kind: batuta.NotFound, Message: r.Images[image].String() + " is not in its registry", Hint: fmt.Sprintf("`batuta run %s` builds it anew", r.App)}
	}
	attached, err := at.Referrers(ctx, r.Images[image], signing.Artifact, labelsOf(r))
	if err != nil {
		return false, err
	}
	var found []signing.Signature
	for _, a := range attached {
		found = append(found, signing.Signature{Payload: a.Content, Base64: a.Notes[signing.Annotation]})
	}
	return true, s.signing.Verify(r, image, found)
}

// Vouches tells what is wrong with one signature.
func (s *signer) Vouches(r batuta.Release, image batuta.ImageName, of pipeline.Signature) error {
	return s.signing.Verify(r, image, []signing.Signature{{Payload: []byte(of.Payload), Base64: of.Base64}})
}
