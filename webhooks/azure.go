package webhooks

import (
	"encoding/json"
	"net/http"
	"strings"
)

// AzureDevOps reads what a service hook of Azure DevOps sends; see
// https://learn.microsoft.com/azure/devops/service-hooks/events#git.push. It
// signs nothing: the secret is the password of the hook's basic
// authentication, whatever the user's name, so that the webhook needs https.
func AzureDevOps() Forge {
	return Forge{
		Name: "azure", SignatureHeaders: []string{"Authorization"},
		Mine: func(h http.Header) bool {
			return strings.HasPrefix(h.Get("User-Agent"), "VSServices/") || strings.HasPrefix(h.Get("Authorization"), "Basic ")
		},
		Signed: func(h http.Header, _ []byte, secret string) bool {
			_, password, ok := (&http.Request{Header: h}).BasicAuth()
			return sameSecret(password, secret) && ok
		},
		Dated: dated("createdDate"),
		Read:  readAzure,
	}
}

func readAzure(_ string, payload []byte) (Event, error) {
	var sent struct {
		ID       string `json:"id"`
		Kind     string `json:"eventType"`
		Resource struct {
			Commits []struct {
				ID      string `json:"commitId"`
				Comment string `json:"comment"`
			} `json:"commits"`
			Updates []struct {
				Name string `json:"name"`
				Old  string `json:"oldObjectId"`
				New  string `json:"newObjectId"`
			} `json:"refUpdates"`
			Repository struct {
				Remote string `json:"remoteUrl"`
			} `json:"repository"`
			By struct {
				Name string `json:"uniqueName"`
			} `json:"pushedBy"`
		} `json:"resource"`
	}
	if err := json.Unmarshal(payload, &sent); err != nil {
		return Event{}, notJSON(err)
	}
	name, id := clean(sent.Kind, asRead), clean(sent.ID, asRead)
	switch {
	case strings.HasPrefix(sent.Kind, "git.pullrequest."):
		out, err := readAzurePull(sent.Kind, payload)
		out.Name, out.Delivery = name, id
		return out, err
	case sent.Kind != "git.push":
		out := ignored("the event %q is no push", clean(sent.Kind, asRead))
		out.Name, out.Delivery = name, id
		return out, nil
	}
	var all []movement
	for _, u := range sent.Resource.Updates {
		m := movement{Ref: u.Name, Before: u.Old, After: u.New}
		for _, c := range sent.Resource.Commits {
			if c.ID == u.New {
				m.Head = &commit{ID: c.ID, Message: c.Comment}
			}
		}
		all = append(all, m)
	}
	out, err := several(all, sent.Resource.By.Name)
	for n := range out.Moves { // as with Bitbucket Server
		if p := &out.Moves[n].Push; strings.HasPrefix(p.Ref, "refs/tags/") {
			p.Revision = ""
		}
	}
	out.Clone, out.Name, out.Delivery = clean(sent.Resource.Repository.Remote, asRead), name, id
	return out, err
}
