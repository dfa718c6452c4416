package pipeline

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"batuta"
)

// sign has the server vouch for the images of the release that the run made.
// It gives the signatures by image; entered again it finds the same ones.
func (j *journey) sign(r batuta.Release) func(context.Context, io.Writer) (map[batuta.ImageName]batuta.Digest, error) {
	return func(ctx context.Context, log io.Writer) (map[batuta.ImageName]batuta.Digest, error) {
		signatures := map[batuta.ImageName]batuta.Digest{}
		for _, name := range slices.Sorted(maps.Keys(r.Images)) {
			signature, err := j.Signer.Sign(ctx, r, name)
			if err != nil {
				return nil, fmt.Errorf("sign image %s of release %d: %w", name, r.Number, err)
			}
			fmt.Fprintf(log, "%s is signed by %s\n", r.Images[name], signature)
			signatures[name] = signature
		}
		return signatures, nil
	}
}

// genuine refuses a release that is not as the server signed it, in the
// registry or in the database.
func (p *Pipeline) genuine(ctx context.Context, r batuta.Release, log io.Writer) error {
	if p.Signer == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(r.Images)) {
		signed, err := p.Signer.Verify(ctx, r, name)
		if err != nil {
			return fmt.Errorf("verify release %d: %w", r.Number, err)
		}
		if !signed {
			fmt.Fprintf(log, "release %d is older than the server's signing key: its signature is not asked for\n", r.Number)
			return nil
		}
	}
	return nil
}
