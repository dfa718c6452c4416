package webhooks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Distribution reads the notifications of a CNCF Distribution registry and of
// those made of it, such as GitLab's; see
// https://distribution.github.io/distribution/about/notifications/. One
// envelope may have several events, each with an id of its own. The registry is
// told to send the secret as "Authorization: Bearer SECRET".
func Distribution() Forge {
	return Forge{
		Name: "distribution", SignatureHeaders: []string{"Authorization"}, Signed: bears,
		Mine: func(h http.Header) bool {
			return strings.HasPrefix(h.Get("Content-Type"), "application/vnd.docker.distribution.events.")
		},
		Read: readDistribution,
	}
}

// distributed is one event of an envelope.
type distributed struct {
	ID     string `json:"id"`
	Action string `json:"action"`
	Target struct {
		Repository string `json:"repository"`
		Tag        string `json:"tag"`
		Digest     string `json:"digest"`
	} `json:"target"`
	Request struct {
		Host string `json:"host"` // as the client called the registry
	} `json:"request"`
	Actor struct {
		Name string `json:"name"`
	} `json:"actor"`
}

func readDistribution(_ string, payload []byte) (Event, error) {
	var sent struct {
		Events []distributed `json:"events"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	if len(sent.Events) == 0 {
		return ignored("the envelope has no events"), nil
	}
	var out Event
	for n, e := range sent.Events {
		m, err := e.move()
		if err != nil {
			return Event{}, fmt.Errorf("events[%d]: %w", n, err)
		}
		out.Moves = append(out.Moves, m)
	}
	return out, nil
}

func (e distributed) move() (Move, error) {
	t := e.Target
	m, err := pushed(strings.TrimPrefix(e.Request.Host+"/", "/")+t.Repository, t.Tag, t.Digest, e.Actor.Name)
	if err != nil {
		return Move{}, err
	}
	m.Delivery, m.Event = clean(e.ID, asRead), clean(e.Action, asRead)
	if e.Action != "push" {
		m.Ignored = "action " + m.Event
	}
	return m, nil
}
