package webhooks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Harbor reads what a webhook policy of Harbor sends, in either of its formats,
// Default and CloudEvents; see
// https://goharbor.io/docs/latest/working-with-projects/project-configuration/configure-webhooks/.
// Its "Auth Header" is sent as the Authorization. The default format has no id:
// the same body is the same event.
func Harbor() Forge {
	return Forge{
		Name: "harbor", SignatureHeaders: []string{"Authorization"}, Signed: bears,
		Mine: func(h http.Header) bool { return h.Get("Authorization") != "" },
		Dated: func(payload []byte) time.Time {
			if at := dated("occur_at")(payload); !at.IsZero() {
				return at
			}
			return dated("time")(payload)
		},
		Read: readHarbor,
	}
}

func readHarbor(_ string, payload []byte) (Event, error) {
	type what struct {
		Resources []struct {
			Digest string `json:"digest"`
			Tag    string `json:"tag"`
			URL    string `json:"resource_url"`
		} `json:"resources"`
	}
	var sent struct {
		ID       string `json:"id"`
		Kind     string `json:"type"`
		Operator string `json:"operator"`
		Default  what   `json:"event_data"`
		Cloud    what   `json:"data"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	out := Event{Name: clean(sent.Kind, asRead), Delivery: clean(sent.ID, asRead)}
	if sent.Kind != "PUSH_ARTIFACT" && sent.Kind != "harbor.artifact.pushed" {
		out.Ignored = "action " + cmp.Or(out.Name, "without a name")
		return out, nil
	}
	for n, r := range append(sent.Default.Resources, sent.Cloud.Resources...) {
		repository, _, _ := strings.Cut(r.URL, "@")
		m, err := pushed(strings.TrimSuffix(repository, ":"+r.Tag), r.Tag, r.Digest, sent.Operator)
		if err != nil {
			return Event{}, fmt.Errorf("resources[%d]: %w", n, err)
		}
		out.Moves = append(out.Moves, m)
	}
	if len(out.Moves) == 0 {
		out.Ignored = "it names no image"
	}
	return out, nil
}
