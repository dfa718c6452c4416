package apitest

import (
	"context"
	"fmt"

	"batuta"
)

// deliveries are what brought the world's first runs, and one that was
// ignored.
func (w *World) deliveries() []batuta.Delivery {
	d := batuta.Delivery{
		ID: 1, App: "portal", Forge: "gitea", Delivery: "d-1", Event: "push", Ref: "refs/heads/main",
		Before: w.runs[0].Push.Revision, After: w.runs[1].Push.Revision, Clone: "https://git.example.edu/portal.git", Sender: "ana",
		Message: "A search box", Paths: []string{"index.html", "search.js"}, Source: "192.0.2.7:4711", Received: Now,
		Run: 2, Decision: "run 2", Payload: `{"ref":"refs/heads/main","secret":"[redacted]"}`,
	}
	dev := d
	dev.ID, dev.Delivery, dev.Ref, dev.Run, dev.Payload = 2, "d-2", "refs/heads/dev", 0, ""
	dev.Decision = "ignored: branch dev is not among on.push.branches (main)"
	return []batuta.Delivery{dev, d}
}

// Deliveries is api.Postbox.
func (w *World) Deliveries(_ context.Context, app batuta.AppName, limit int) ([]batuta.Delivery, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.deliveries()
	if app != "portal" {
		return nil, w.fault
	}
	for i := range all {
		all[i].Payload = ""
	}
	return all[:min(limit, len(all))], w.fault
}

// Delivery is api.Postbox.
func (w *World) Delivery(_ context.Context, app batuta.AppName, id batuta.DeliveryID) (batuta.Delivery, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.deliveries() {
		if d.App == app && d.ID == id {
			return d, nil
		}
	}
	return batuta.Delivery{}, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("no delivery %d to %s", id, app)}
}

// Redeliver is api.Postbox.
func (w *World) Redeliver(ctx context.Context, app batuta.AppName, id batuta.DeliveryID, by string) (batuta.RunID, error) {
	d, err := w.Delivery(ctx, app, id)
	if err != nil {
		return 0, err
	}
	if d.Run == 0 {
		return 0, &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("delivery %d moves nothing that can be run: %s", id, d.Decision)}
	}
	return w.Rerun(ctx, d.Run, "", by)
}
