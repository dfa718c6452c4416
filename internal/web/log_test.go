package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParts(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 9, 30, 0, 5e6, time.UTC)
	log := "2026-03-01T09:30:00.005Z\tbuild web\t#1 \x1b[1;31mone\x1b[0m\ttab\x00\x07\n" +
		"2026-03-01T09:30:00.005Z\tbuild web\t\n" +
		"2026-03-01T09:30:00.005Z\trelease\trelease 1\n" +
		"not a line\tof\tours\nend"
	want := []part{
		{"build web", []line{{at, "#1 one\ttab"}, {at, ""}}},
		{"release", []line{{at, "release 1"}}},
		{"", []line{{Text: "not a line\tof\tours"}, {Text: "end"}}},
	}
	if diff := cmp.Diff(want, parts([]byte(log))); diff != "" {
		t.Error(diff)
	}
	if parts(nil) != nil {
		t.Error("parts of nothing")
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{10, 100, 1000, 100_000} {
		log, all := tail{limit: limit}, strings.Builder{}
		for i := range 1000 {
			text := fmt.Sprintf("line %d\n", i)
			all.WriteString(text)
			for piece := range strings.SplitAfterSeq(text, " ") {
				if n, err := log.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Fatal(n, err)
				}
			}
		}
		kept := string(log.lines())
		whole := limit >= all.Len()
		switch {
		case !strings.HasSuffix(all.String(), kept) || len(kept) > limit || !strings.HasPrefix(kept, "line "):
			t.Errorf("limit %d: kept %.40q", limit, kept)
		case whole != (kept == all.String()), whole != (log.skipped() == ""):
			t.Errorf("limit %d: %d bytes kept, skipped %q", limit, len(kept), log.skipped())
		}
	}
}

func FuzzParts(f *testing.F) {
	f.Add("2026-03-01T09:30:00.005Z\ta\t\x1b[0mb\n\n\t\t")
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		for _, p := range parts([]byte(text)) {
			for _, l := range p.Lines {
				if n++; strings.ContainsAny(l.Text, "\x1b\n\x00") {
					t.Errorf("%q", l.Text)
				}
			}
		}
		if want := strings.Count(text, "\n"); n != want && n != want+1 {
			t.Errorf("%d lines of %d", n, want)
		}
	})
}
