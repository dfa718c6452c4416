package signing

import (
	"fmt"

	"batuta"
)

// verdict is what is wrong with a signature; the higher, the less.
type verdict int

const (
	unsigned verdict = iota
	strange
	otherDigest
	otherRelease
	otherContent
	good
)

// refuse is the verdict as an error; nil if nothing is wrong.
func (v verdict) refuse(r batuta.Release, image batuta.ImageName) error {
	why, hint := "", fmt.Sprintf("find out who can write to the registry and to the server's data; `batuta run %s` builds and signs the app anew", r.App)
	switch v {
	case good:
		return nil
	case unsigned:
		why = "it has no signature"
	case strange:
		why = "its signature is not of this server's key"
	case otherDigest:
		why = "its signature is for another digest"
	case otherRelease:
		why = "its signature is for another release"
	case otherContent:
		why = "its signature is for other documents or images: the release is not as it was signed"
	}
	what := fmt.Sprintf("release %d", r.Number)
	if image != "" {
		what = fmt.Sprintf("image %s of release %d, %s", image, r.Number, r.Images[image])
	}
	return &batuta.Error{
		Kind:    batuta.Denied,
		Message: what + ": " + why,
		Hint:    hint,
	}
}
