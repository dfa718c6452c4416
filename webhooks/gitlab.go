package webhooks

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"time"
)

// GitLab reads what GitLab sends; see
// https://docs.gitlab.com/user/project/integrations/webhook_events/. The
// secret is either the webhook's secret token, which GitLab sends along as it
// is, or its signing token (whsec_…), with which it signs as
// https://www.standardwebhooks.com says; such a delivery may be five minutes
// old. Its test button sends what looks like any other push.
func GitLab() Forge {
	return Forge{
		Name: "gitlab", EventHeader: "X-Gitlab-Event",
		DeliveryHeaders:  []string{"Webhook-Id", "Idempotency-Key", "X-Gitlab-Event-Uuid"},
		SignatureHeaders: []string{"Webhook-Signature", "X-Gitlab-Token"},
		Signed: func(h http.Header, body []byte, secret string) bool {
			if h.Get("Webhook-Signature") != "" {
				return standardSignature(h, body, secret, time.Now())
			}
			return sameSecret(h.Get("X-Gitlab-Token"), secret)
		},
		Read: readGitLab,
	}
}

// sameSecret compares in a time that does not depend on where the two differ,
// nor on their lengths.
func sameSecret(given, secret string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && given != ""
}

func readGitLab(event string, payload []byte) (Event, error) {
	var sent struct {
		movement
		Kind     string `json:"object_kind"`
		Name     string `json:"event_name"` // what a system hook is about
		Checkout string `json:"checkout_sha"`
		User     string `json:"user_username"`
		Project  struct {
			Clone string `json:"git_http_url"`
		} `json:"project"`
	}
	switch event {
	case "Push Hook", "Tag Push Hook", "System Hook":
	case "Merge Request Hook":
		return readGitLabMerge(payload)
	default:
		return ignored("the event %q is no push", clean(event, asRead)), nil
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	switch name := cmp.Or(sent.Name, sent.Kind); {
	case event != "System Hook" || name == "push" || name == "tag_push":
	case name == "merge_request": // the one that has no event_name
		return readGitLabMerge(payload)
	default:
		return ignored("the event %q is no push", clean(name, asRead)), nil
	}
	if sent.Checkout != "" { // of an annotated tag the commit, where after is the tag
		sent.Head = &commit{ID: sent.Checkout}
	}
	for _, c := range sent.Commits { // the newest comes last
		if c.ID == sent.Checkout {
			sent.Head = &c
		}
	}
	sent.Repository.Clone = sent.Project.Clone
	return sent.event(sent.User)
}
