package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"batuta/internal/document"
)

// Webhook is somebody else's program that is told what people should know.
type Webhook struct {
	URL    string  `yaml:"url"`    // http or https
	Secret Secret  `yaml:"secret"` // signs what is told; at least MinTokenLength bytes; none: it is not signed
	On     []Topic `yaml:"on"`     // empty: all
}

// Topic is what something to know is about.
type Topic string

// The topics.
const (
	OnDrift  Topic = "drift"  // an environment is not as its live release wants it, or is again
	OnLost   Topic = "lost"   // a ship does not answer, or does again
	OnFailed Topic = "failed" // a run failed
	OnLive   Topic = "live"   // a release is live
)

var topics = []string{string(OnDrift), string(OnLost), string(OnFailed), string(OnLive)}

// UnmarshalDocument takes one of the four words.
func (t *Topic) UnmarshalDocument(n document.Node) error {
	text, _ := n.Scalar()
	if !slices.Contains(topics, text) {
		n.Problem(fmt.Sprintf("no topic %q", text), document.Suggest(text, topics))
	}
	*t = Topic(text)
	return nil
}

func (k check) webhooks() {
	for i, w := range k.c.Notify {
		at := document.Path{"notify", strconv.Itoa(i)}
		if u, err := url.Parse(w.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			k.d.Problem(at.At("url"), "this is not the URL of a webhook", "write https://host/path")
		}
		k.strong(at.At("secret"), w.Secret)
	}
}
