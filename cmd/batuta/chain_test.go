package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"batuta"
	"batuta/internal/api"
	"batuta/internal/lab"
)

// TestChain is the whole way of examples/node: a push becomes QA on one ship,
// a promotion production on two others, with the same bytes on all three.
func TestChain(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("clock-chain")
	lab.Bases(t, lab.Node)
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 3), app, "")
	s.serve(t)
	w := s.newExample(t, "node", app)
	tested(t, s.succeeds(t, s.pushed(t, app, w).ID), "unit")
	qa := s.answers(t, app, "qa", 1, "In QA it is")

	promotion := api.Order{Kind: batuta.RunPromotion}
	plan, err := s.client.Plan(t.Context(), app, "production", promotion)
	if err != nil {
		t.Fatal(err)
	}
	promotion.Approved = plan.Hash
	run, err := s.client.Deploy(t.Context(), app, "production", promotion)
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, run.ID)
	production := s.answers(t, app, "production", 2, "It is")
	if production[0].Ship == production[1].Ship {
		t.Errorf("both instances are on %s", production[0].Ship)
	}
	s.sameBytes(t, append(qa, production...))

	// A second push changes QA alone; a rollback of what was promoted goes back.
	first := plan.Release
	w.edit("environments/qa.yml", "In QA it is", "In QA it now is")
	w.edit("environments/production.yml", "It is", "It now is")
	s.succeeds(t, s.pushed(t, app, w).ID)
	s.answers(t, app, "qa", 1, "In QA it now is")
	s.answers(t, app, "production", 2, "It is")
	for _, step := range []struct {
		order api.Order
		text  string
	}{
		{api.Order{Kind: batuta.RunPromotion, Release: first.Number + 1}, "It now is"},
		{api.Order{Kind: batuta.RunRollback}, "It is"},
		{api.Order{Kind: batuta.RunRollback, Release: first.Number + 1}, "It now is"},
	} {
		run, err := s.client.Deploy(t.Context(), app, "production", step.order)
		if err != nil {
			t.Fatal(err)
		}
		s.succeeds(t, run.ID)
		s.answers(t, app, "production", 2, step.text)
	}

	// By hand: the branch as it is now, which changes nothing that runs.
	byHand, err := s.client.Start(t.Context(), app, "main", "")
	if err != nil {
		t.Fatal(err)
	}
	if run := s.succeeds(t, byHand.ID); run.Release != first.Number+2 || run.Push.Revision != batuta.Revision(lab.Git(t, w.dir, "rev-parse", "HEAD")) {
		t.Errorf("the run by hand made release %d of %s", run.Release, run.Push.Revision)
	}
	s.answers(t, app, "qa", 1, "In QA it now is")
}

// sameBytes compares the images of containers on their ships, as Docker there
// knows them.
func (s *site) sameBytes(t *testing.T, containers []batuta.ContainerState) {
	t.Helper()
	ids := map[string]bool{}
	for _, c := range containers {
		for _, ship := range s.ships {
			if ship.Name == c.Ship {
				ids[onShip(t.Context(), t, ship, "container", "inspect", "--format", "{{.Image}} {{.Config.Image}}", c.ID)] = true
			}
		}
	}
	if len(ids) != 1 {
		t.Errorf("not all containers have the same image: %v", ids)
	}
	for id := range ids {
		if !strings.Contains(id, "@sha256:") {
			t.Errorf("the containers' image has no digest: %s", id)
		}
	}
}

// TestABadReleaseHurtsNobody asks QA all the while a release that crashes is
// pushed, and one that never gets ready; every answer must come.
func TestABadReleaseHurtsNobody(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("clock-bad")
	lab.Bases(t, lab.Node)
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), app, "")
	s.serve(t)
	w := s.newWorkingCopy(t, "node", app)
	s.succeeds(t, s.pushed(t, app, w).ID)
	good := s.answers(t, app, "qa", 1, "In QA it is")
	asked := ask(t, good[0].URLs[0])

	w.edit("server.js", `const server = clock(`, `console.log("opening the database"); console.error("no database at db.internal"); process.exit(7);
  const server = clock(`)
	run := s.ended(t, s.pushed(t, app, w).ID)
	for _, word := range []string{"no database at db.internal", "rolled back"} {
		if run.Status != batuta.RunFailed || !strings.Contains(run.Error, word) {
			t.Errorf("the crashing release: %s: %q, want %q in it", run.Status, run.Error, word)
		}
	}
	if step := run.Steps[len(run.Steps)-1]; step.Ended.Sub(step.Started) > 15*time.Second {
		t.Errorf("it took %s to see that the release crashes", step.Ended.Sub(step.Started))
	}
	w.edit("server.js", "process.exit(7);", "")
	w.edit("server.js", `case "/up":`, `case "/down":`)
	w.edit("environments/qa.yml", "path: /up}", "path: /up, max_wait: 10s}") // time for Node to begin, on a machine with much to do
	run = s.ended(t, s.pushed(t, app, w).ID)
	if run.Status != batuta.RunFailed || !strings.Contains(run.Error, "404") {
		t.Errorf("the release that never gets ready: %s: %s", run.Status, run.Error)
	}
	answers, failures := asked()
	if failures != 0 || answers == 0 {
		t.Errorf("%d of %d requests failed while bad releases came and went", failures, answers+failures)
	}
	if now := s.answers(t, app, "qa", 1, "In QA it is"); now[0].ID != good[0].ID {
		t.Errorf("the good container was replaced")
	}
}

// ask requests an address again and again until the returned function is
// called, which tells how many requests were answered with 200 and how many
// not.
func ask(t *testing.T, address string) (stop func() (answers, failures int64)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var answered, failed atomic.Int64
	var asking sync.WaitGroup
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	asking.Go(func() {
		for ctx.Err() == nil {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
			if err != nil {
				t.Error(err)
				return
			}
			response, err := plain.Do(request)
			switch {
			case ctx.Err() != nil:
			case err != nil || response.StatusCode != http.StatusOK:
				failed.Add(1)
			default:
				answered.Add(1)
			}
			if err == nil {
				_ = response.Body.Close()
			}
		}
	})
	t.Cleanup(cancel)
	return func() (int64, int64) {
		cancel()
		asking.Wait()
		return answered.Load(), failed.Load()
	}
}

func promotion() api.Order { return api.Order{Kind: batuta.RunPromotion} }
