package web

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func TestTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for ago, want := range map[time.Duration]string{
			-time.Hour: "now", 0: "now", 59 * time.Second: "59 s ago", 60 * time.Second: "1 min ago",
			59 * time.Minute: "59 min ago", 47 * time.Hour: "47 h ago", 72 * time.Hour: "3 days ago",
		} {
			if got := age(now.Add(-ago)); got != want {
				t.Errorf("%v ago is %q, want %q", ago, got, want)
			}
		}
		for d, want := range map[time.Duration]string{
			-time.Second: "0 ms", 0: "0 ms", 12 * time.Millisecond: "12 ms", 9240 * time.Millisecond: "9.2 s",
			200 * time.Second: "3 min 20 s", 90 * time.Minute: "1 h 30 min",
		} {
			if got := took(now, now.Add(d)); got != want {
				t.Errorf("%v took %q, want %q", d, got, want)
			}
		}
		var never time.Time
		for what, got := range map[string]string{"age": age(never), "took": took(never, now), "stamp": stamp(never)} {
			if got != "" {
				t.Errorf("%s of what never was is %q", what, got)
			}
		}
		if got := took(now.Add(-time.Minute), never); got != "1 min 0 s" {
			t.Errorf("what goes on took %q", got)
		}
	})
}

func TestFirst(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", " a \n": "a", "a\nb": "a …"} {
		if got := first(text); got != want {
			t.Errorf("first of %q is %q, want %q", text, got, want)
		}
	}
	if got := first(strings.Repeat("ü", 500)); !utf8.ValidString(got) || len(got) > longest+len(" …") {
		t.Errorf("%q", got)
	}
}
