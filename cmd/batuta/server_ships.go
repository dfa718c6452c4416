package main

import (
	"context"

	"batuta"
	"batuta/internal/config"
	"batuta/internal/notify"
	"batuta/pipeline"
)

// harbour is the ships of server.yml as the pipeline knows them.
func (s *server) harbour() map[batuta.ShipName]pipeline.Ship {
	all := map[batuta.ShipName]pipeline.Ship{}
	for name, ship := range s.config.Ships {
		all[name] = pipeline.Ship{Address: ship.Address, Labels: ship.Labels, Reporter: s.ships[name]}
	}
	return all
}

// notifier tells the operator in the server's log, and the webhooks of
// server.yml.
type notifier struct{ *server }

var _ pipeline.Notifier = notifier{}

// topics is what the kinds of notices are about, in server.yml's words.
var topics = map[pipeline.NoticeKind]config.Topic{
	pipeline.DriftSeen: config.OnDrift, pipeline.DriftGone: config.OnDrift,
	pipeline.ShipLost: config.OnLost, pipeline.ShipBack: config.OnLost,
	pipeline.RepairFailed: config.OnFailed, pipeline.RunFailed: config.OnFailed,
	pipeline.WentLive: config.OnLive,
}

// Notify writes a line of what the log does not have yet, and leaves the
// message for the webhooks.
func (n notifier) Notify(ctx context.Context, what pipeline.Notice) error {
	m := notify.Message{
		At: what.At, Topic: string(topics[what.Kind]), Kind: string(what.Kind), App: what.App, Environment: what.Environment,
		Ship: what.Ship, Run: what.Run, Text: what.Text,
	}
	if what.Run != 0 {
		m.URL = n.runURL(what.Run)
	}
	if what.Kind != pipeline.RunFailed && what.Kind != pipeline.WentLive { // the end of a run is a line already
		n.log.WarnContext(ctx, m.Kind, "app", m.App, "environment", m.Environment, "ship", m.Ship, "run", m.Run, "text", m.Text)
	}
	return n.told.Notify(ctx, m)
}

// webhooksOf is who is told, as server.yml says.
func webhooksOf(c *config.Config) []notify.Webhook {
	var all []notify.Webhook
	for _, w := range c.Notify {
		one := notify.Webhook{URL: w.URL, Secret: w.Secret.Reveal()}
		for _, topic := range w.On {
			one.On = append(one.On, string(topic))
		}
		all = append(all, one)
	}
	return all
}
