package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"batuta"
	"batuta/internal/document"
)

// Listener is somebody who is told what people should know.
type Listener struct {
	URL    Secret           `yaml:"url"`    // http or https: a webhook of one's own; else what shoutrrr knows
	Secret Secret           `yaml:"secret"` // signs what a webhook is told; at least MinTokenLength bytes; none: it is not signed
	On     []Topic          `yaml:"on"`     // empty: all
	Apps   []batuta.AppName `yaml:"apps"`   // empty: all, and the ships
}

// Topic is what something to know is about.
type Topic string

// The topics.
const (
	OnDrift     Topic = "drift"     // an environment is not as its live release wants it, or is again
	OnLost      Topic = "lost"      // a ship does not answer, or does again
	OnFailed    Topic = "failed"    // a run failed
	OnRecovery  Topic = "recovery"  // a run succeeded, and the one before it had failed
	OnApproval  Topic = "approval"  // something waits for a person to say yes
	OnPromotion Topic = "promotion" // a promotion is live
	OnLive      Topic = "live"      // a release is live
)

var topics = words([]Topic{OnDrift, OnLost, OnFailed, OnRecovery, OnApproval, OnPromotion, OnLive})

// UnmarshalDocument takes one of the words.
func (t *Topic) UnmarshalDocument(n document.Node) error {
	text, _ := n.Scalar()
	if !slices.Contains(topics, text) {
		n.Problem(fmt.Sprintf("no topic %q", text), document.Suggest(text, topics))
	}
	*t = Topic(text)
	return nil
}

// IsWebhook tells whether it is a program of one's own, and not a chat.
func (l Listener) IsWebhook() bool {
	scheme, _, _ := strings.Cut(l.URL.Reveal(), ":")
	return scheme == "http" || scheme == "https"
}

func (k check) listeners() {
	for i, l := range k.c.Notify {
		at := document.Path{"notify", strconv.Itoa(i)}
		switch u, err := url.Parse(l.URL.Reveal()); {
		case l.URL.unresolved(): // which was reported
		case err != nil || u.Scheme == "" || l.IsWebhook() && u.Host == "":
			k.d.Problem(at.At("url"), "this is not the URL of a webhook or of a chat", "write https://host/path, or one of the forms of "+chatForms)
		case !l.IsWebhook():
			k.chat(at, u, l)
		}
		k.strong(at.At("secret"), l.Secret)
		for n, app := range l.Apps {
			k.knownApp(at.At("apps", strconv.Itoa(n)), app)
		}
	}
}

func (k check) knownApp(at document.Path, app batuta.AppName) {
	if _, ok := k.c.Apps[app]; !ok {
		k.d.Problem(at, fmt.Sprintf("no app %q", app), document.Suggest(string(app), words(slices.Sorted(maps.Keys(k.c.Apps)))))
	}
}
