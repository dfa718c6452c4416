package web

import (
	"net/http"

	"batuta"
)

// shownDeliveries is how many of an app its page shows.
const shownDeliveries = 100

// deliveries is the page of what was delivered to one app, and what was decided
// about it.
func (d *Dashboard) deliveries(w http.ResponseWriter, r *http.Request, who viewer) {
	name := batuta.AppName(r.PathValue("app"))
	if !who.may(name) {
		d.fail(w, r, batuta.NotFound)
		return
	}
	all, err := d.Reader.Deliveries(r.Context(), name, shownDeliveries)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	d.show(w, http.StatusOK, "deliveries.html", struct {
		frame
		App batuta.AppName
		All []batuta.Delivery
	}{d.frame(who), name, all})
}
