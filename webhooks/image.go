package webhooks

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/distribution/reference"

	"batuta"
)

// urlToken has the secret of a registry that can send it in the URL alone.
const urlToken = "Batuta-Url-Token"

// withURLToken is the request with the parameter "token" of its URL as a
// header, where a sender's proof is looked for.
func withURLToken(req *http.Request) *http.Request {
	token := req.URL.Query().Get("token")
	req = req.WithContext(req.Context())
	req.Header = req.Header.Clone()
	req.Header.Del(urlToken)
	if token != "" && req.Header.Get("Authorization") == "" {
		req.Header.Set(urlToken, token)
	}
	return req
}

// bears tells whether the Authorization is the secret, as "Bearer SECRET" or
// by itself.
func bears(h http.Header, _ []byte, secret string) bool {
	return sameSecret(strings.TrimPrefix(h.Get("Authorization"), "Bearer "), secret)
}

// pushed is an image that was pushed: docker.io/library/node:22@sha256:…, with
// Docker's short names spelled out; digest may be empty. What has no tag means
// the same for ever, and starts nothing.
func pushed(repository, tag, digest, sender string) (Move, error) {
	name := repository
	if tag != "" {
		name += ":" + tag
	}
	if digest != "" {
		name += "@" + digest
	}
	image, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return Move{}, fmt.Errorf("%q is not an image: %w", clean(name, asRead), err)
	}
	m := Move{Push: batuta.Push{Ref: image.String(), Sender: clean(sender, asRead)}}
	if tag == "" {
		m.Ignored = m.Push.Ref + " has no tag"
	}
	return m, nil
}
