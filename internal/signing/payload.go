package signing

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"batuta"
)

// payload is what is signed. Critical is of simple signing, and all that other
// programs look at; Optional is ours.
type payload struct {
	Critical critical `json:"critical"`
	Optional optional `json:"optional"`
}

type critical struct {
	Identity identity `json:"identity"`
	Image    digest   `json:"image"`
	Type     string   `json:"type"`
}

type identity struct {
	Reference string `json:"docker-reference"`
}

type digest struct {
	Digest batuta.Digest `json:"docker-manifest-digest"`
}

// optional is which release the image is of, and what that release is.
type optional struct {
	App      batuta.AppName       `json:"app"`
	Image    batuta.ImageName     `json:"image"`
	Release  batuta.ReleaseNumber `json:"release"`
	Revision batuta.Revision      `json:"revision"`
	Run      batuta.RunID         `json:"run"`
	Content  string               `json:"content"` // of the release
}

// kind is cosign's word for what it signs.
const kind = "cosign container image signature"

// claim is what a signature of an image of a release says.
func claim(r batuta.Release, image batuta.ImageName) payload {
	return payload{
		Critical: critical{identity{r.Images[image].Repository}, digest{r.Images[image].Digest}, kind},
		Optional: optional{r.App, image, r.Number, r.Revision, r.Run, Content(r)},
	}
}

func (p payload) encode() ([]byte, error) { return json.Marshal(p) }

func decode(text []byte) (payload, error) {
	var p payload
	err := json.Unmarshal(text, &p)
	return p, err
}

// Content is the hash of all that a deployment of the release goes by: its
// images, what the other images of its documents are, the order and the rules
// of its environments, and their documents. It is the SHA-256 of their JSON,
// the keys of maps in their order.
func Content(r batuta.Release) string {
	text, err := json.Marshal(batuta.Release{Images: r.Images, Pins: r.Pins, Order: r.Order, Stages: r.Stages, Documents: r.Documents})
	if err != nil {
		panic(err) // strings and numbers alone
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(text))
}
