package storetest

import (
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/pipeline"
)

// happened is an event of web-1 so many seconds after a beginning.
func happened(app batuta.AppName, kind deployer.EventKind, second int, by pipeline.Teller) pipeline.Event {
	return pipeline.Event{
		At: time.Date(2026, 3, 4, 5, 6, second, 7000, time.UTC), App: app, Environment: "qa", Kind: kind, Ship: "node1",
		Service: "web", Instance: "web-1", Container: "c1", Release: 3, Teller: by,
	}
}

func (l *lab) history(f pipeline.EventFilter) []pipeline.Event {
	l.t.Helper()
	events, err := l.History(l.t.Context(), "portal", "qa", f)
	l.must(err)
	for i := range events {
		if events[i].ID == 0 {
			l.t.Errorf("%+v has no number", events[i])
		}
		events[i].ID = 0
	}
	return events
}

func chronicles(t *testing.T, l *lab) {
	started := happened("portal", deployer.Started, 10, pipeline.ToldByDeployment)
	ready := happened("portal", deployer.Ready, 12, pipeline.ToldByDeployment)
	crashed := happened("portal", deployer.Crashed, 40, pipeline.ToldByShip)
	crashed.ExitCode, crashed.OOMKilled, crashed.Text = 137, true, "out of memory"
	again := happened("portal", deployer.Crashed, 41, pipeline.ToldByShip)
	other := happened("shop", deployer.Started, 42, pipeline.ToldByShip)
	l.must(l.Record(t.Context(), []pipeline.Event{started, ready}, 100))
	l.must(l.Record(t.Context(), []pipeline.Event{
		happened("portal", deployer.Started, 13, pipeline.ToldByShip), // the same start, by the ship's clock
		crashed, again, other,
	}, 100))
	l.must(l.Record(t.Context(), []pipeline.Event{crashed, again}, 100)) // a ship that is watched anew tells them again
	l.restart()

	l.same("the history", l.history(pipeline.EventFilter{}), []pipeline.Event{again, crashed, ready, started})
	l.same("one", l.history(pipeline.EventFilter{Limit: 1}), []pipeline.Event{again})
	l.same("of a kind", l.history(pipeline.EventFilter{Kind: deployer.Ready}), []pipeline.Event{ready})
	l.same("since", l.history(pipeline.EventFilter{Since: crashed.At}), []pipeline.Event{again, crashed})
	l.same("of nobody", len(l.history(pipeline.EventFilter{Instance: "web-2"})), 0)
	ships, err := l.Ships(t.Context())
	l.must(err)
	l.same("heard", ships["node1"].Heard, other.At)
}

func forgetsOldHistory(t *testing.T, l *lab) {
	for second := range 30 {
		l.must(l.Record(t.Context(), []pipeline.Event{happened("portal", deployer.Crashed, second, pipeline.ToldByShip)}, 10))
	}
	l.must(l.Record(t.Context(), []pipeline.Event{happened("shop", deployer.Crashed, 1, pipeline.ToldByShip)}, 10))
	left := l.history(pipeline.EventFilter{Limit: 100})
	if len(left) != 10 || left[0].At.Second() != 29 || left[9].At.Second() != 20 {
		t.Errorf("%d events are left, want the 10 newest: %+v", len(left), left)
	}
}
