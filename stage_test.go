package batuta_test

import (
	"testing"
	"time"

	"batuta"
)

func TestWindows(t *testing.T) {
	t.Parallel()
	for text, times := range map[string]map[string]bool{
		"Mon-Fri 08:00-16:00 Europe/Berlin": {
			"2026-03-02T07:00:00Z": true, "2026-03-02T06:59:59Z": false, "2026-03-02T15:00:00Z": false, "2026-03-01T10:00:00Z": false,
			"2026-07-06T06:00:00Z": true, // in summer, Berlin is two hours ahead
		},
		"Fri-Mon 00:00-24:00": {"2026-03-01T00:00:00Z": true, "2026-03-02T23:59:59Z": true, "2026-03-03T00:00:00Z": false},
		"Sun 22:00-02:00":     {"2026-03-01T22:00:00Z": true, "2026-03-02T01:59:59Z": true, "2026-03-02T02:00:00Z": false, "2026-03-01T01:00:00Z": false, "2026-03-02T22:30:00Z": false},
		"Sat,Tue 10:00-11:00": {"2026-02-28T10:30:00Z": true, "2026-03-03T10:00:00Z": true, "2026-03-02T10:30:00Z": false},
	} {
		w, err := batuta.ParseWindow(text)
		if err != nil {
			t.Fatal(err)
		}
		for at, want := range times {
			instant, err := time.Parse(time.RFC3339, at)
			if err != nil {
				t.Fatal(err)
			}
			if w.Contains(instant) != want {
				t.Errorf("%s contains %s: %v", text, at, !want)
			}
		}
	}
	for _, text := range []string{"", "Mon", "08:00-16:00", "Mon 16:00-16:00", "Mon 24:00-08:00", "Mon 8-16", "Mun 08:00-16:00", "Mon 08:00-16:00 Mars", "Mon 08:00-16:00 UTC now"} {
		if _, err := batuta.ParseWindow(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestFreezes(t *testing.T) {
	t.Parallel()
	f, err := batuta.ParseFreeze("2026-12-20..2027-01-06 Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]bool{
		"2026-12-19T22:59:59Z": false, "2026-12-19T23:00:00Z": true, "2027-01-06T22:59:59Z": true, "2027-01-06T23:00:00Z": false,
	} {
		instant, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if f.Contains(instant) != want {
			t.Errorf("it contains %s: %v", at, !want)
		}
	}
	for _, text := range []string{"", "2026-12-20", "2026-12-20..2026-12-19", "20.12.2026..6.1.2027", "2026-12-20..2027-01-06 Mars"} {
		if _, err := batuta.ParseFreeze(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
