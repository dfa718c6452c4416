package batuta

import (
	"cmp"
	"strings"
	"time"
)

// DeliveryID numbers the deliveries in the log of one server, from 1.
type DeliveryID int64

// Delivery is what a forge's webhook said of one branch or tag, a registry's of
// one image, or either of something else that starts no run, and what was
// decided about it. Only what had a right signature becomes one; what is pushed
// to the server itself does, too.
type Delivery struct {
	ID       DeliveryID   `json:"id"`
	App      AppName      `json:"app"`
	Forge    string       `json:"forge"`
	Delivery string       `json:"delivery"`      // the forge's own id; unique with app and forge
	Event    string       `json:"event"`         // as the forge calls it
	Ref      string       `json:"ref,omitempty"` // refs/…; of a registry the image: docker.io/library/node:22@sha256:…
	Before   Revision     `json:"before,omitempty"`
	After    Revision     `json:"after,omitempty"`
	Clone    string       `json:"clone_url,omitempty"`
	Sender   string       `json:"sender,omitempty"`
	Message  string       `json:"message,omitempty"`
	Paths    []string     `json:"changed_paths,omitempty"` // as far as the forge says them; at most 200
	Pull     *PullRequest `json:"pull_request,omitempty"`
	Source   string       `json:"source,omitempty"` // the address it came from, or who delivered it again
	Received time.Time    `json:"received"`
	Run      RunID        `json:"run,omitempty"`     // the run that follows from it, or followed from it the first time
	Decision string       `json:"decision"`          // run 12, duplicate of run 12, ignored: why, refused: why
	Payload  string       `json:"payload,omitempty"` // without secrets, at most 64 KiB; in a list it is left out
}

// PullRequest is a pull request, as most forges call it, or a merge request.
type PullRequest struct {
	Number int    `json:"number"`
	Source string `json:"source"` // the branch that it wants merged
	Target string `json:"target"` // the branch that it is to be merged into
	Fork   bool   `json:"fork,omitempty"`
}

// ByRegistry is the Forge of a Push that an image in some registry caused.
const ByRegistry = "registry"

// Image is the reference of the image that a registry told of; ok is false for
// what a forge told.
func (d Delivery) Image() (reference string, ok bool) {
	return d.Ref, d.Ref != "" && !strings.HasPrefix(d.Ref, "refs/")
}

// Push is what a delivery says as what may start a run: of an image, a run of
// the app's default branch as it is then.
func (d Delivery) Push() Push {
	p := Push{
		App: d.App, Forge: d.Forge, Delivery: d.Delivery, Ref: d.Ref, Before: d.Before, Revision: d.After,
		Sender: d.Sender, Message: d.Message, Pull: d.Pull, Received: d.Received,
	}
	if image, ok := d.Image(); ok {
		p.Forge, p.Ref, p.Sender, p.Message = ByRegistry, "", cmp.Or(d.Sender, d.Forge), image+" was pushed"
	}
	return p
}
