package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/deployer/shiptest"
)

const (
	crowdShips = 30 // of production; one does not answer
	crowdApps  = 25 // with an instance on each of them
	crowdWait  = 5 * time.Second
)

// crowd is a server with many apps that run on many ships, and the last ship
// of which does not answer.
func crowd(t *testing.T) *works {
	t.Helper()
	w := newWorld(t)
	for n := len(w.ships); n <= crowdShips; n++ {
		name := batuta.ShipName(fmt.Sprintf("n%02d", n))
		w.ships[name] = shiptest.New(name)
		w.ships[name].Before = w.answers
	}
	for n := range crowdApps {
		w.crew = append(w.crew, batuta.AppName(fmt.Sprintf("app-%02d", n)))
	}
	w.edit("batuta.yml", "promote: [qa, production]", "promote: [production]")
	w.edit("environments/production.yml", "count: 2", "count: each")
	s := w.start(t)
	var runs []batuta.RunID
	for _, app := range w.crew {
		runs = append(runs, s.deliver(t, batuta.Push{
			App: app, Forge: "gitea", Delivery: string(app), Ref: "refs/heads/main", Revision: revision(string(app)), Sender: "ana", Received: time.Now(),
		}))
	}
	for _, id := range runs {
		s.succeeds(t, id)
	}
	t.Cleanup(w.cut(batuta.ShipName(fmt.Sprintf("n%02d", crowdShips))))
	return s
}

// TestManyShipsAndAppsAreShownWhole asks for services by ships as a person
// does, in a terminal and on the page.
func TestManyShipsAndAppsAreShownWhole(t *testing.T) {
	t.Parallel()
	url := crowd(t).front(t)
	quick := func(what string, began time.Time) {
		took := time.Since(began)
		t.Logf("%s took %s", what, took)
		if took > crowdWait {
			t.Errorf("%s took %s, want less than %s", what, took, crowdWait)
		}
	}
	began := time.Now()
	out, _ := as(t, "luis", url, 0, "status")
	quick("batuta status", began)
	head, _, _ := strings.Cut(out, "\n")
	if ships := len(strings.Fields(head)) - 3; ships != crowdShips {
		t.Errorf("there are %d ships, want %d: %s", ships, crowdShips, head)
	}
	if ready, lost := strings.Count(out, "1 ✓ r1"), strings.Count(out, "1 ? lost"); ready != crowdApps*(crowdShips-1) || lost != crowdApps {
		t.Errorf("%d are ready and %d lost, want %d and %d:\n%s", ready, lost, crowdApps*(crowdShips-1), crowdApps, out)
	}

	began = time.Now()
	page, err := get(t.Context(), url+"/ships")
	quick("the ships' page", began)
	if err != nil {
		t.Fatal(err)
	}
	ships, matrix, found := strings.Cut(page, `<table id="matrix">`)
	if rows := strings.Count(ships, "<td><b>"); !found || rows != crowdShips+1 { // and the one of QA
		t.Errorf("the page has %d ships, want %d", rows, crowdShips+1)
	}
	if ready, lost := strings.Count(matrix, `<span class="mark good">`), strings.Count(matrix, `<span class="mark bad">`); ready != crowdApps*(crowdShips-1) || lost != crowdApps {
		t.Errorf("on the page %d are ready and %d lost, want %d and %d", ready, lost, crowdApps*(crowdShips-1), crowdApps)
	}
}
