package webhooks

import (
	"encoding/json"
	"net/http"
	"time"
)

// Generic reads what anything can send that has the secret: a POST whose
// X-Batuta-Signature-256 is "sha256=" and the hex of the HMAC-SHA256 of the
// body, with X-Batuta-Event: push, an id of the sender's own in
// X-Batuta-Delivery; or signed as https://www.standardwebhooks.com says, with
// the id and the time, which may be five minutes old; and a JSON object:
//
//	ref      refs/heads/main
//	after    the full commit hash it is at now; 40 zeros: it was deleted
//	before   where it was; may be left out
//	sender   who pushed; may be left out
//	message  of the newest commit; may be left out
func Generic() Forge {
	return Forge{
		Name: "generic", EventHeader: "X-Batuta-Event",
		DeliveryHeaders: []string{"Webhook-Id", "X-Batuta-Delivery"}, SignatureHeaders: []string{"Webhook-Signature", "X-Batuta-Signature-256"},
		Signed: func(h http.Header, body []byte, secret string) bool {
			if h.Get("Webhook-Signature") != "" {
				return standardSignature(h, body, secret, time.Now())
			}
			return hmacSHA256(h.Get("X-Batuta-Signature-256"), "sha256=", body, secret)
		},
		Read: readGeneric,
	}
}

func readGeneric(event string, payload []byte) (Event, error) {
	switch event {
	case "push":
	case "ping":
		return ignored("ping: the webhook works"), nil
	default:
		return ignored("the event %q is no push", clean(event, asRead)), nil
	}
	var sent struct {
		movement
		Sender  string `json:"sender"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	if sent.Message != "" {
		sent.Head = &commit{ID: sent.After, Message: sent.Message}
	}
	return sent.event(sent.Sender)
}

// All are the forges that are known, in the order in which they are
// recognised: one that also sends another's headers comes first.
func All() []Forge {
	return []Forge{Forgejo(), Gitea(), Gogs(), GitHub(), GitLab(), Bitbucket(), BitbucketServer(), Generic(), AzureDevOps()}
}

// Registries are the registries that are known, in the order in which they are
// recognised.
func Registries() []Forge { return []Forge{DockerHub(), Distribution(), Harbor()} }
