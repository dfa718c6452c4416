package webhooks

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"batuta"
)

// Gitea reads what Gitea sends; see https://docs.gitea.com/usage/webhooks. Its
// deliveries carry the headers of Gogs and GitHub too, so it must be
// recognised before them. It has no ping: its test button sends the newest
// commit as a push that moves nothing.
func Gitea() Forge { return giteaLike("gitea", "Gitea") }

// Forgejo reads what Forgejo sends, which is what Gitea does with headers of
// its own beside Gitea's: it must be recognised before Gitea. See
// https://forgejo.org/docs/latest/user/webhooks/.
func Forgejo() Forge { return giteaLike("forgejo", "Forgejo") }

// Gogs reads what Gogs sends; see https://gogs.io/docs/features/webhook. A new
// tag comes as the event create alone, which names no commit.
func Gogs() Forge { return giteaLike("gogs", "Gogs") }

// giteaLike is a forge of the family, by the name in its headers.
func giteaLike(name, header string) Forge {
	signature := "X-" + header + "-Signature"
	f := Forge{
		Name: name, EventHeader: "X-" + header + "-Event",
		DeliveryHeaders: []string{"X-" + header + "-Delivery"}, SignatureHeaders: []string{signature},
		Signed: func(h http.Header, body []byte, secret string) bool { return signedByGitea(h, body, signature, secret) },
		Read:   readGitea,
	}
	if name == "gogs" {
		f.Read = readGogs
	}
	return f
}

// signedByGitea checks the signature, which is of the JSON alone, also when
// it travels in a form.
func signedByGitea(h http.Header, body []byte, header, secret string) bool {
	signed, err := payloadOf(h, body)
	if err != nil {
		signed = body
	}
	return hmacSHA256(h.Get(header), "", signed, secret) && err == nil
}

func readGitea(event string, payload []byte) (Event, error) {
	switch event {
	case "push": // a new tag is sent as "create" too, a deleted branch only as "delete"
	case "delete":
		return readGiteaDeletion(payload)
	case "pull_request", "pull_request_sync":
		event, _, err := readGitHubPull(payload) // here updated_at need not be as late as the push
		return event, err
	default:
		return ignored("the event %q is no push", clean(event, asRead)), nil
	}
	var sent struct {
		movement
		Pusher struct {
			Login    string `json:"login"`
			Username string `json:"username"`
		} `json:"pusher"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	if sent.Head == nil && len(sent.Commits) > 0 && sent.Commits[0].ID == sent.After { // Gogs names no head commit
		sent.Head = &sent.Commits[0]
	}
	return sent.event(cmp.Or(sent.Pusher.Login, sent.Pusher.Username))
}

// readGiteaDeletion reads the event delete, whose ref is the short name of a
// branch or a tag.
func readGiteaDeletion(payload []byte) (Event, error) {
	var sent struct {
		movement
		Kind   string `json:"ref_type"`
		Sender struct {
			Login string `json:"login"`
		} `json:"sender"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	sent.Ref, sent.Deleted = refOf(sent.Kind, strings.TrimPrefix(strings.TrimPrefix(sent.Ref, "refs/heads/"), "refs/tags/")), true
	return sent.event(sent.Sender.Login)
}

func readGogs(event string, payload []byte) (Event, error) {
	if event != "create" {
		return readGitea(event, payload)
	}
	var sent struct {
		movement
		Kind   string `json:"ref_type"`
		SHA    string `json:"sha"`
		Sender struct {
			Login string `json:"login"`
		} `json:"sender"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	if sent.Kind != "tag" {
		return ignored("a new branch comes as a push, too"), nil
	}
	ref := "refs/tags/" + sent.Ref
	if err := checkRef(ref); err != nil {
		return Event{}, err
	}
	move := Move{Push: batuta.Push{Ref: ref, Sender: clean(sent.Sender.Login, asRead)}} // where it is shows when it is fetched
	if batuta.CheckRevision(sent.SHA) == nil {
		move.Push.Revision = batuta.Revision(sent.SHA)
	}
	return Event{Moves: []Move{move}, Clone: clean(sent.Repository.Clone, asRead)}, nil
}
