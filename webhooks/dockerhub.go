package webhooks

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// DockerHub reads what a webhook of Docker Hub sends; see
// https://docs.docker.com/docker-hub/repos/manage/webhooks/. It signs nothing,
// sends no header of one's choice and names no event: the secret is the
// parameter "token" of the webhook's URL, which therefore needs https. A push is
// told by its repository, tag and second, and without its digest.
func DockerHub() Forge {
	return Forge{
		Name: "dockerhub", SignatureHeaders: []string{urlToken},
		Mine: func(h http.Header) bool { return h.Get(urlToken) != "" },
		Signed: func(h http.Header, _ []byte, secret string) bool {
			return sameSecret(h.Get(urlToken), secret)
		},
		Dated: dated("push_data", "pushed_at"),
		Read:  readDockerHub,
	}
}

func readDockerHub(_ string, payload []byte) (Event, error) {
	var sent struct {
		Push struct {
			At     json.Number `json:"pushed_at"` // seconds since 1970
			Pusher string      `json:"pusher"`
			Tag    string      `json:"tag"`
		} `json:"push_data"`
		Repository struct {
			Name string `json:"repo_name"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	m, err := pushed("docker.io/"+sent.Repository.Name, sent.Push.Tag, "", sent.Push.Pusher)
	if err != nil {
		return Event{}, fmt.Errorf("repository.repo_name and push_data.tag: %w", err)
	}
	id := fmt.Sprintf("%s:%s@%s", sent.Repository.Name, sent.Push.Tag, sent.Push.At)
	return Event{Moves: []Move{m}, Name: "push", Delivery: id}, nil
}
