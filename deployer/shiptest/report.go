package shiptest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
)

// Find tells which image a reference means: one that was pulled or fetched.
func (f *Fake) Find(ctx context.Context, reference string) (id string, err error) {
	err = f.call(ctx, Call{Method: "Find"}, func() error {
		for image := range f.images {
			if image.String() == reference || image.Digest == "" && image.Repository == tagged(reference) {
				id = "sha256:" + image.String()
			}
		}
		return nil
	})
	return id, err
}

// tagged is a reference with the tag that it means.
func tagged(reference string) string {
	if last := reference[strings.LastIndex(reference, "/")+1:]; strings.ContainsAny(last, ":@") {
		return reference
	}
	return reference + ":latest"
}

// Fetch takes note of the image that a reference means.
func (f *Fake) Fetch(ctx context.Context, reference string, _ *deployer.Login, progress func(int)) error {
	image := batuta.Image{Repository: tagged(reference)}
	if repository, digest, ok := strings.Cut(reference, "@"); ok {
		image = batuta.Image{Repository: repository, Digest: batuta.Digest(digest)}
	}
	err := f.call(ctx, Call{Method: "Fetch", Image: image}, func() error {
		f.images[image] = true
		return nil
	})
	if err == nil && progress != nil {
		progress(100)
	}
	return err
}
