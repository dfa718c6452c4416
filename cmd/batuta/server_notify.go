package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"slices"

	"batuta"
	"batuta/internal/config"
	"batuta/internal/notify"
	"batuta/pipeline"
)

// notifier brings notices to those whom server.yml names.
type notifier struct {
	url      string // of the server
	listed   []listener
	statuses statuses
}

var _ pipeline.Notifier = (*notifier)(nil)

// listener is one entry of `notify` in server.yml, under a name of its own.
type listener struct {
	config.Listener

	name string
	to   sender
}

// sender brings one message to one place.
type sender interface {
	Send(ctx context.Context, id string, m notify.Message) error
}

func newNotifier(c *config.Config) *notifier {
	n := &notifier{url: c.URL, statuses: newStatuses(c)}
	for _, l := range c.Notify {
		to := sender(notify.NewChat(l.URL.Reveal()))
		if l.IsWebhook() {
			to = notify.Webhook{URL: l.URL.Reveal(), Secret: l.Secret.Reveal()}
		}
		n.listed = append(n.listed, listener{l, listenerName(l), to})
	}
	return n
}

// listenerName is how the outbox and the audit trail call one that is told:
// what may be shown of its URL, which is a webhook's host or a chat's kind, and
// a sum that tells it from others there.
func listenerName(l config.Listener) string {
	u, err := url.Parse(l.URL.Reveal())
	if err != nil {
		return "notify" // such a URL was refused
	}
	shown := u.Scheme
	if l.IsWebhook() {
		shown = u.Host
	}
	sum := sha256.Sum256([]byte(l.URL.Reveal()))
	return fmt.Sprintf("notify %s #%x", shown, sum[:4])
}

// topic is what a listener is told that a notice is about: what server.yml
// says, or else what batuta.yml does within that.
func (l listener) topic(n pipeline.Notice) (batuta.Topic, bool) {
	for _, topic := range n.Topics() {
		if l.Wants(topic, n.App) {
			return topic, true
		}
	}
	for _, told := range n.Told {
		if told.To == l.Name && l.Takes(told.App) {
			return told.Topic, true
		}
	}
	return "", false
}

// Addressees names the listeners that want a notice, and the forge of its
// commit.
func (n *notifier) Addressees(what pipeline.Notice) []string {
	var all []string
	if forge := n.statuses.addressee(what); forge != "" {
		all = append(all, forge)
	}
	for _, l := range n.listed {
		if _, wants := l.topic(what); wants && !slices.Contains(all, l.name) {
			all = append(all, l.name)
		}
	}
	return all
}

// Deliver makes one attempt to bring a letter to whom it is for.
func (n *notifier) Deliver(ctx context.Context, l pipeline.Letter) error {
	if l.To == n.statuses.addressee(l.Notice) {
		return n.statuses.deliver(ctx, l.Notice, n.page)
	}
	for _, one := range n.listed {
		if topic, wants := one.topic(l.Notice); wants && one.name == l.To {
			return one.to.Send(ctx, fmt.Sprintf("%d-%x", l.ID, l.At.UnixMicro()), n.message(l.Notice, topic))
		}
	}
	return &batuta.Error{Kind: batuta.NotFound, Message: "server.yml does not name it any more"}
}

func (n *notifier) message(what pipeline.Notice, topic batuta.Topic) notify.Message {
	m := notify.Message{
		At: what.At, Topic: string(topic), Kind: string(what.Kind), App: what.App, Environment: what.Environment,
		Ship: what.Ship, Run: what.Run, Text: what.Text,
	}
	if what.Run != 0 {
		m.URL = n.page(what.Run)
	}
	return m
}

// page is where a run is shown.
func (n *notifier) page(run batuta.RunID) string { return fmt.Sprintf("%s/runs/%d", n.url, run) }
