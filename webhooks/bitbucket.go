package webhooks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"batuta"
)

// Bitbucket reads what Bitbucket Cloud sends; see
// https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/. One
// delivery may tell of several branches and tags. Its payloads never name
// files, and one of more than 256 KB is not sent at all.
func Bitbucket() Forge {
	f := bitbucketLike("bitbucket", "X-Request-Uuid") // X-Hook-Uuid is the same for all deliveries of one webhook
	f.Mine = func(h http.Header) bool { return h.Get("X-Hook-Uuid") != "" || h.Get("X-Request-Uuid") != "" }
	f.Read = readBitbucket
	return f
}

// BitbucketServer reads what Bitbucket Data Center, once Server, sends; see
// https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html.
func BitbucketServer() Forge {
	f := bitbucketLike("bitbucket-server", "X-Request-Id")
	f.Dated, f.Read = dated("date"), readBitbucketServer
	return f
}

func bitbucketLike(name string, deliveries ...string) Forge {
	return Forge{
		Name: name, EventHeader: "X-Event-Key", DeliveryHeaders: deliveries, SignatureHeaders: []string{"X-Hub-Signature"},
		Signed: func(h http.Header, body []byte, secret string) bool {
			return hmacSHA256(h.Get("X-Hub-Signature"), "sha256=", body, secret)
		},
	}
}

// side is where a ref was, or is; null if it was not there.
type side struct {
	Kind   string `json:"type"` // branch or tag
	Name   string `json:"name"`
	Target struct {
		Hash    string `json:"hash"`
		Message string `json:"message"`
	} `json:"target"`
}

// after is where a ref is. That it is null says that the ref was deleted; that
// it is missing says nothing.
type after struct {
	*side
	null bool
}

// UnmarshalJSON reads it.
func (a *after) UnmarshalJSON(text []byte) error {
	a.null = string(text) == "null"
	return json.Unmarshal(text, &a.side)
}

func readBitbucket(event string, payload []byte) (Event, error) {
	if strings.HasPrefix(event, "pullrequest:") {
		return readBitbucketPull(event, payload)
	} else if event != "repo:push" {
		return ignored("the event %q is no push", clean(event, asRead)), nil
	}
	var sent struct {
		Actor struct {
			Nickname string `json:"nickname"`
			Name     string `json:"display_name"`
		} `json:"actor"`
		Repository struct {
			Links struct {
				HTML struct {
					Href string `json:"href"`
				} `json:"html"`
			} `json:"links"`
		} `json:"repository"`
		Push struct {
			Changes []struct {
				Old    *side `json:"old"`
				New    after `json:"new"`
				Closed bool  `json:"closed"`
			} `json:"changes"`
		} `json:"push"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	var all []movement
	for _, c := range sent.Push.Changes {
		m := movement{Deleted: c.Closed || c.New.null}
		if c.Old != nil {
			m.Ref, m.Before = refOf(c.Old.Kind, c.Old.Name), c.Old.Target.Hash
		}
		if now := c.New.side; now != nil {
			m.Ref, m.After = refOf(now.Kind, now.Name), now.Target.Hash
			m.Head = &commit{ID: m.After, Message: now.Target.Message}
		}
		all = append(all, m)
	}
	out, err := several(all, cmp.Or(sent.Actor.Nickname, sent.Actor.Name))
	if href := sent.Repository.Links.HTML.Href; href != "" {
		out.Clone = clean(href, asRead) + ".git"
	}
	return out, err
}

func readBitbucketServer(event string, payload []byte) (Event, error) {
	switch {
	case event == "repo:refs_changed":
	case event == "diagnostics:ping":
		return ignored("ping: the webhook works"), nil
	case strings.HasPrefix(event, "pr:"):
		return readBitbucketServerPull(event, payload)
	default:
		return ignored("the event %q is no push", clean(event, asRead)), nil
	}
	var sent struct {
		Actor struct {
			Name string `json:"name"`
		} `json:"actor"`
		Changes []struct {
			Ref struct {
				ID string `json:"id"`
			} `json:"ref"`
			From string `json:"fromHash"`
			To   string `json:"toHash"`
			Kind string `json:"type"`
		} `json:"changes"`
		Repository struct {
			Links struct {
				Clone []struct {
					Href string `json:"href"`
					Name string `json:"name"`
				} `json:"clone"`
			} `json:"links"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	var all []movement
	for _, c := range sent.Changes {
		all = append(all, movement{Ref: c.Ref.ID, Before: c.From, After: c.To, Deleted: c.Kind == "DELETE"})
	}
	out, err := several(all, sent.Actor.Name)
	for n := range out.Moves { // the hash may be that of an annotated tag: where it leads shows when it is fetched
		if p := &out.Moves[n].Push; strings.HasPrefix(p.Ref, "refs/tags/") {
			p.Revision = ""
		}
	}
	for _, c := range sent.Repository.Links.Clone {
		if strings.HasPrefix(c.Name, "http") {
			out.Clone = clean(c.Href, asRead)
		}
	}
	return out, err
}

func refOf(kind, name string) string {
	if kind == "tag" {
		return "refs/tags/" + name
	}
	return "refs/heads/" + name
}

// maxMoves is how many branches and tags one delivery may move. One that moves
// more is refused as a whole, so that its sender sees it.
const maxMoves = 1000

// several makes one event of all that moved.
func several(all []movement, sender string) (Event, error) {
	var out Event
	if len(all) > maxMoves {
		return out, &batuta.Error{
			Kind: batuta.Invalid, Message: fmt.Sprintf("the push moves %d branches and tags, and at most %d are taken at once", len(all), maxMoves),
			Hint: "push fewer at once, or start the run by hand: batuta run APP REF",
		}
	}
	for _, m := range all {
		move, err := m.move(sender)
		if err != nil {
			return Event{}, err
		}
		out.Moves = append(out.Moves, move)
	}
	if len(out.Moves) == 0 {
		return ignored("the push moves nothing"), nil
	}
	return out, nil
}
