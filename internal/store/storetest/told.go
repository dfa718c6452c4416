package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/pipeline"
)

// knowsTheRules has each notice told by the recipe that is in force for it: the
// run's own, that of its release, the newest, or that of what is live.
func knowsTheRules(t *testing.T, l *lab) {
	var told []string
	l.Subscribe(func(n pipeline.Notice) []string {
		for _, to := range n.Told {
			told = append(told, fmt.Sprintf("%s: %s of %s", to.To, to.Topic, to.App))
		}
		return nil
	})
	hears := func(what string, want ...string) {
		t.Helper()
		l.same(what, told, want)
		told = nil
	}
	rule := func(to string, on ...batuta.Topic) []batuta.NotifyRule {
		return []batuta.NotifyRule{{To: to, On: on, Environments: []batuta.EnvironmentName{"qa"}}}
	}
	fails := func(lease pipeline.Lease) { l.end(lease, batuta.RunFailed) }

	fails(l.claim(l.accept(push("portal", "main", 1))))
	hears("before there is any recipe")

	lease := l.claim(l.accept(push("portal", "main", 2)))
	l.must(l.SaveRun(t.Context(), lease, batuta.Run{Push: push("portal", "main", 2), Environment: "qa"}))
	r, err := l.AddRelease(t.Context(), lease, batuta.Release{Order: []batuta.EnvironmentName{"qa"}, Notify: rule("live", batuta.Topics()...)})
	l.must(err)
	l.must(l.SaveRun(t.Context(), lease, batuta.Run{Push: push("portal", "main", 2), Environment: "qa", Release: r.Number}))
	d, err := l.BeginDeployment(t.Context(), lease, batuta.Deployment{Environment: "qa", Release: r.Number})
	l.must(err)
	l.must(l.EndDeployment(t.Context(), lease, d.ID, batuta.Live, ""))
	l.must(l.SaveSightings(t.Context(), "portal", "qa", map[batuta.ShipName][]deployer.Container{"a": {{ID: "1"}}, "b": {}}))
	l.end(lease, batuta.RunSucceeded)
	hears("a release", "live: recovery of portal")

	lease = l.claim(l.accept(push("portal", "main", 3)))
	read, err := json.Marshal(pipeline.Blueprint{Recipe: pipeline.Recipe{Promote: []batuta.EnvironmentName{"qa", "production"}, Notify: rule("own", batuta.OnFailed)}})
	l.must(err)
	l.must(l.SaveStep(t.Context(), lease, batuta.Step{Name: pipeline.ReadStep, Status: batuta.StepSucceeded, Attempt: 1, Started: time.Now(), Output: read}))
	fails(lease)
	hears("a run that has read its recipe", "own: failed of portal")
	fails(l.claim(l.accept(push("portal", "main", 4))))
	hears("a run that has not", "live: failed of portal")
	l.enqueue(batuta.Run{App: "portal", Kind: batuta.RunPromotion, Status: batuta.RunWaiting, Environment: "production", Release: r.Number})
	hears("a promotion to another environment")

	_, err = l.SaveDrift(t.Context(), pipeline.Drift{App: "portal", Environment: "qa", Drift: []string{"web-1: it is gone"}})
	l.must(err)
	hears("drift", "live: drift of portal")
	for _, ship := range []batuta.ShipName{"a", "b"} {
		_, err := l.HearShip(t.Context(), ship, time.Now(), "no answer")
		l.must(err)
	}
	hears("ships", "live: lost of portal")
}
