package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"batuta"
)

// Signature is what the server vouches for a release's image with, as it is in
// the image's registry.
type Signature struct {
	Digest  batuta.Digest `json:"digest"`  // of its manifest
	Payload string        `json:"payload"` // what is signed
	Base64  string        `json:"signature"`
}

// signatures are those of a release, as its step gives them.
type signatures map[batuta.ImageName]Signature

// signing is the name of the step that signs.
const signing = "sign"

// sign has the server vouch for the images of the release that the run made.
// Entered again it finds the same signatures.
func (j *journey) sign(r batuta.Release) func(context.Context, io.Writer) (signatures, error) {
	return func(ctx context.Context, log io.Writer) (signatures, error) {
		made := signatures{}
		for _, name := range signable(r) {
			signature, err := j.Signer.Sign(ctx, r, name)
			if err != nil {
				return nil, fmt.Errorf("sign image %s of release %d: %w", name, r.Number, err)
			}
			if signature.Digest != "" {
				fmt.Fprintf(log, "%s is signed by %s\n", r.Images[name], signature.Digest)
			}
			made[name] = signature
		}
		return made, nil
	}
}

// signable are the images of a release; of one that has none it is a name that
// no image has, so that its documents are vouched for all the same.
func signable(r batuta.Release) []batuta.ImageName {
	if len(r.Images) == 0 {
		return []batuta.ImageName{""}
	}
	return slices.Sorted(maps.Keys(r.Images))
}

// genuine refuses a release that is not as the server signed it, in the
// registry or in the database.
func (p *Pipeline) genuine(ctx context.Context, r batuta.Release, log io.Writer) error {
	if p.Signer == nil {
		return nil
	}
	for _, name := range signable(r) {
		signed, err := p.Signer.Verify(ctx, r, name)
		if errors.Is(err, batuta.Unavailable) || errors.Is(err, batuta.NotFound) {
			switch why := p.vouched(ctx, r, name); {
			case name == "":
				signed, err = true, why
			case why == nil:
				fmt.Fprintf(log, "%v\n%s is verified by the signature that run %d kept\n", err, r.Images[name], r.Run)
				signed, err = true, nil
			}
		}
		if err != nil {
			return fmt.Errorf("verify release %d: %w", r.Number, err)
		}
		if !signed {
			fmt.Fprintf(log, "release %d is older than the server's signing key: no signature is asked for\n", r.Number)
			return nil
		}
	}
	return nil
}

// vouched looks for the signature where the run that made the release kept it.
// It is as good as the one in the registry; with it a release whose images are
// still on the ships can be brought back while the registry is away, or after
// it has lost them.
func (p *Pipeline) vouched(ctx context.Context, r batuta.Release, image batuta.ImageName) error {
	run, err := p.Store.Run(ctx, r.Run)
	if err != nil {
		return err
	}
	return p.Signer.Vouches(r, image, signed(run)[image])
}

// signed is what a run kept of the signatures that it made.
func signed(run batuta.Run) signatures {
	var kept signatures
	for _, s := range run.Steps {
		if s.Name == signing && json.Unmarshal(s.Output, &kept) != nil {
			return nil
		}
	}
	return kept
}
