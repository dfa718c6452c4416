package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"batuta/internal/lab"
	"batuta/pipeline"
)

// TestWhatFailsItsChecksLaterIsInTheHistory has an instance that is live fail
// its checks for a while, long after its deployment.
func TestWhatFailsItsChecksLaterIsInTheHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("environments/qa.yml", "ports: {http: 8080}", "ports: {http: 8080}, lifecycle: {running: [{type: http, port: http, path: /up}]}")
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	s.watch(t)
	c := w.instance(t, "a", "web-1")
	turns := func(want ...string) {
		t.Helper()
		for range 2 { // the second time it is no news
			s.looks(t, "qa")
		}
		lab.Wait(t, 10*time.Second, func() error {
			all, err := s.History(t.Context(), testApp, "qa", pipeline.EventFilter{Instance: "web-1"})
			var got []string
			for _, e := range slices.Backward(all) {
				if e.Teller == pipeline.ToldByServer {
					got = append(got, fmt.Sprint(e.Kind, " ", e.Text))
					if e.Ship != "a" || e.Container != c.ID || e.Service != "web" || e.Release != 1 {
						t.Errorf("%+v", e)
					}
				}
			}
			if err != nil || !slices.Equal(got, want) {
				return fmt.Errorf("the history has %q (%w), want %q", got, err, want)
			}
			return nil
		})
	}
	turns()
	w.ships["a"].Ail(c.ID, true)
	turns("unready http :8080/up: connection refused")
	w.ships["a"].Ail(c.ID, false)
	turns("unready http :8080/up: connection refused", "ready ")
	if d := s.drift(t, "qa"); len(d.Drift) != 0 {
		t.Errorf("that is no drift: %v", d)
	}
}
