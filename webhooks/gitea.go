package webhooks

import (
	"encoding/json"
	"net/http"
)

// Gitea reads what Gitea and Forgejo send; see
// https://docs.gitea.com/usage/webhooks. Its deliveries carry GitHub's headers
// too, so it must be recognised first. It has no ping: its test button sends
// the newest commit as a push that moves nothing.
func Gitea() Forge {
	return Forge{
		Name:            "gitea",
		EventHeader:     "X-Gitea-Event",
		DeliveryHeader:  "X-Gitea-Delivery",
		SignatureHeader: "X-Gitea-Signature",
		Signed:          signedByGitea,
		Read:            readGitea,
	}
}

// signedByGitea checks the signature, which is of the JSON alone, also when
// it travels in a form.
func signedByGitea(h http.Header, body []byte, secret string) bool {
	signed, err := payloadOf(h, body)
	if err != nil {
		signed = body
	}
	return hmacSHA256(h.Get("X-Gitea-Signature"), "", signed, secret) && err == nil
}

func readGitea(event string, payload []byte) (Event, error) {
	if event != "push" { // a new tag is sent as "create" too, a deleted branch only as "delete"
		return ignored("the event %q is no push", clean(event, 50)), nil
	}
	var sent struct {
		movement
		Pusher struct {
			Login string `json:"login"`
		} `json:"pusher"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	if sent.Before == sent.After && !zero(sent.After) {
		return ignored("a test: the push moves nothing, and the webhook works"), nil
	}
	return sent.push(sent.Pusher.Login)
}
