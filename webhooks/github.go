package webhooks

import (
	"encoding/json"
	"net/http"
)

// GitHub reads what github.com and GitHub Enterprise Server send; see
// https://docs.github.com/webhooks/webhook-events-and-payloads. The older
// SHA-1 signature is not looked at.
func GitHub() Forge {
	return Forge{
		Name:             "github",
		EventHeader:      "X-GitHub-Event",
		DeliveryHeaders:  []string{"X-GitHub-Delivery"},
		SignatureHeaders: []string{"X-Hub-Signature-256"},
		Signed: func(h http.Header, body []byte, secret string) bool {
			return hmacSHA256(h.Get("X-Hub-Signature-256"), "sha256=", body, secret)
		},
		Read: readGitHub,
	}
}

func readGitHub(event string, payload []byte) (Event, error) {
	switch event {
	case "push":
	case "ping":
		return ignored("ping: the webhook works"), nil
	case "pull_request":
		event, updated, err := readGitHubPull(payload)
		event.sent = updated
		return event, err
	default:
		return ignored("the event %q is no push", clean(event, asRead)), nil
	}
	var sent struct {
		movement
		Sender struct {
			Login string `json:"login"`
		} `json:"sender"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	out, err := sent.event(sent.Sender.Login)
	out.sent = sent.Repository.Pushed.Time // and not a commit's, which may be much older than its push
	return out, err
}
