// Package notify tells other programs what people should know: it posts each
// message as JSON to the webhooks of server.yml, signed with their secrets, and
// tries again for a while if nobody takes it. Nobody waits for that: who has
// something to tell leaves it in a queue and goes on.
//
// Package pipeline has the messages; cmd/batuta brings them here.
package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"batuta"
)

// Message is one thing to know, as the body of a request.
type Message struct {
	At          time.Time              `json:"at"`
	Topic       string                 `json:"topic"` // what webhooks choose by
	Kind        string                 `json:"kind"`  // more precise than the topic
	App         batuta.AppName         `json:"app,omitempty"`
	Environment batuta.EnvironmentName `json:"environment,omitempty"`
	Ship        batuta.ShipName        `json:"ship,omitempty"`
	Run         batuta.RunID           `json:"run,omitempty"`
	URL         string                 `json:"url,omitempty"` // of the run's page
	Text        string                 `json:"text"`
}

// Webhook is where messages go.
type Webhook struct {
	URL    string
	Secret string   // signs the body; empty: it is not signed
	On     []string // topics; empty: all
}

func (w Webhook) wants(topic string) bool { return len(w.On) == 0 || slices.Contains(w.On, topic) }

// queueLength bounds the messages that wait for one webhook.
const queueLength = 256

// Notifier posts messages to webhooks. Run does the work.
type Notifier struct {
	posts []post
	log   *slog.Logger
}

// post is a webhook and what waits for it.
type post struct {
	Webhook
	waiting chan []byte
	client  *http.Client
}

// New makes a notifier. What it cannot deliver it tells the log.
func New(webhooks []Webhook, log *slog.Logger) *Notifier {
	n := &Notifier{log: log}
	client := &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, w := range webhooks {
		n.posts = append(n.posts, post{w, make(chan []byte, queueLength), client})
	}
	return n
}

// Notify leaves the message for every webhook that wants its topic, and does
// not wait. The error is Unavailable and names the webhooks that so many
// messages wait for already that this one is dropped.
func (n *Notifier) Notify(_ context.Context, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write the message: %w", err)
	}
	var full []string
	for _, p := range n.posts {
		if !p.wants(m.Topic) {
			continue
		}
		select {
		case p.waiting <- body:
		default:
			full = append(full, host(p.URL))
		}
	}
	if len(full) > 0 {
		return &batuta.Error{Kind: batuta.Unavailable, Message: fmt.Sprintf("%d messages wait for %v, and this one is dropped", queueLength, full)}
	}
	return nil
}

// Run posts what Notify leaves until ctx ends; what waits then is dropped. The
// webhooks do not wait for each other, and each gets its messages in order.
func (n *Notifier) Run(ctx context.Context) {
	var working sync.WaitGroup
	for _, p := range n.posts {
		working.Go(func() { p.run(ctx, n.log) })
	}
	working.Wait()
}
