package web

import (
	"fmt"
	"net/http"
	"strconv"

	"batuta"
)

// run is the page of one run: its steps and its log.
func (d *Dashboard) run(w http.ResponseWriter, r *http.Request, who viewer) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		d.fail(w, r, batuta.NotFound)
		return
	}
	run, err := d.Reader.Run(r.Context(), batuta.RunID(id))
	if err == nil && !who.may(run.App) {
		err = batuta.NotFound
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	log := tail{limit: shownLog}
	if err := d.Logs.Log(r.Context(), run.ID, &log); err != nil {
		d.fail(w, r, fmt.Errorf("read the log of run %d: %w", run.ID, err))
		return
	}
	d.show(w, http.StatusOK, "run.html", struct {
		frame
		Run     batuta.Run
		Parts   []part
		Skipped string // how much of the log is left out; empty: nothing
	}{d.frame(who), run, parts(log.lines()), log.skipped()})
}
