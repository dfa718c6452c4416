// Package signing says for whoever reads it that an image is of a release of
// this server: a key pair that the server makes once, signatures of what a
// release is, and the verdict about those that are found. It knows no
// registry: package registry keeps a signature beside its image, where package
// pipeline has it verified before any ship pulls.
//
// A signature is what cosign writes: the payload is simple signing
// (https://github.com/containers/image/blob/main/docs/containers-signature.5.md)
// as in cosign's signature specification
// (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md),
// signed by ECDSA with P-256 and SHA-256.
package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"batuta"
)

// How a signature is kept beside its image: a manifest of the type Artifact
// whose one layer is the payload, with the signature in an annotation.
const (
	Artifact   = "application/vnd.dev.cosign.artifact.sig.v1+json"
	Payload    = "application/vnd.dev.cosign.simplesigning.v1+json"
	Annotation = "dev.cosignproject.cosign/signature"
)

// Signature is a payload and who vouches for it.
type Signature struct {
	Payload []byte
	Base64  string // of the ASN.1 signature of the payload's SHA-256
}

// Sign vouches that an image is the one of that name in a release. The same
// release gives the same signature, byte for byte.
func (k *Key) Sign(r batuta.Release, image batuta.ImageName) (Signature, error) {
	payload, err := claim(r, image).encode()
	if err != nil {
		return Signature{}, err
	}
	hash := sha256.Sum256(payload)
	signed, err := k.private.Sign(nil, hash[:], crypto.SHA256) // without randomness: as RFC 6979
	if err != nil {
		return Signature{}, fmt.Errorf("sign %s: %w", r.Images[image], err)
	}
	return Signature{Payload: payload, Base64: base64.StdEncoding.EncodeToString(signed)}, nil
}

// Verify wants one of the signatures that were found beside an image to be
// this key's, for that image in that release. Its error is batuta.Denied, and
// says what is wrong with the one that comes closest.
func (k *Key) Verify(r batuta.Release, image batuta.ImageName, found []Signature) error {
	closest := unsigned
	for _, s := range found {
		closest = max(closest, k.judge(r, image, s))
	}
	return closest.refuse(r, image)
}

// judge compares one signature with what it should say.
func (k *Key) judge(r batuta.Release, image batuta.ImageName, s Signature) verdict {
	signature, err := base64.StdEncoding.DecodeString(s.Base64)
	hash := sha256.Sum256(s.Payload)
	if err != nil || !ecdsa.VerifyASN1(&k.private.PublicKey, hash[:], signature) {
		return strange
	}
	said, err := decode(s.Payload)
	want := claim(r, image)
	switch {
	case err != nil || said.Critical.Type != want.Critical.Type:
		return strange
	case said.Critical.Image != want.Critical.Image:
		return otherDigest
	case said.Optional.App != want.Optional.App, said.Optional.Release != want.Optional.Release, said.Optional.Image != want.Optional.Image:
		return otherRelease
	case said != want:
		return otherContent
	}
	return good
}
