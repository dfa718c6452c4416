package web

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"batuta"
	"batuta/pipeline"
)

// The front page lists the newest runs that its viewer may see among those
// that are read.
const (
	shownRuns = 30
	readRuns  = 300
)

// front is the first page: what runs where, and the newest runs.
func (d *Dashboard) front(w http.ResponseWriter, r *http.Request, who viewer) {
	status, at, err := d.status.get(r.Context())
	if err != nil {
		d.fail(w, r, err)
		return
	}
	runs, err := d.Reader.Runs(r.Context(), readRuns)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	status = visible(status, who, func(s pipeline.EnvironmentStatus) batuta.AppName { return s.App })
	runs = visible(runs, who, func(run batuta.Run) batuta.AppName { return run.App })
	d.show(w, http.StatusOK, "front.html", struct {
		frame
		Asked  time.Time // when the ships gave their answers; zero: they have not yet
		Apps   []app
		Silent []batuta.ShipName
		Runs   []batuta.Run
	}{d.frame(who), at, byApp(status), silent(status), runs[:min(len(runs), shownRuns)]})
}

// visible is the part of a list that belongs to apps the viewer may see. The
// list itself, which others may be reading, stays as it is.
func visible[T any](all []T, who viewer, appOf func(T) batuta.AppName) []T {
	var seen []T
	for _, one := range all {
		if who.may(appOf(one)) {
			seen = append(seen, one)
		}
	}
	return seen
}

// app is the environments of one app, in their order.
type app struct {
	Name         batuta.AppName
	Environments []pipeline.EnvironmentStatus
}

// byApp groups environments, of which those of one app stand together.
func byApp(status []pipeline.EnvironmentStatus) []app {
	var apps []app
	for _, s := range status {
		if len(apps) == 0 || apps[len(apps)-1].Name != s.App {
			apps = append(apps, app{Name: s.App})
		}
		last := &apps[len(apps)-1]
		last.Environments = append(last.Environments, s)
	}
	return apps
}

// silent is every ship that did not answer about some environment.
func silent(status []pipeline.EnvironmentStatus) []batuta.ShipName {
	var ships []batuta.ShipName
	for _, s := range status {
		ships = append(ships, s.Unreachable...)
	}
	slices.SortFunc(ships, cmp.Compare)
	return slices.Compact(ships)
}
