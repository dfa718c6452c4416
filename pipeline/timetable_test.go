package pipeline

import (
	"testing"
	"time"
	_ "time/tzdata" // as the binary has it

	"github.com/google/go-cmp/cmp"
)

// TestSchedulesAroundAChangeOfTheClock plays days on which the clock is put on
// or back.
func TestSchedulesAroundAChangeOfTheClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, schedule, zone string
		from                 string // an instant
		want                 []string
	}{
		{
			"a day without the hour", "30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z",
			[]string{"2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"},
		},
		{
			"both times of it skipped", "0,30 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"},
		},
		{
			"the hour after it named, too", "0 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"},
		},
		{
			"a day with the hour twice", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
		},
		{
			"asked between the two", "30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z",
			[]string{"2026-10-26T02:30:00+01:00"},
		},
		{
			"a day without midnight", "@daily", "America/Santiago", "2026-09-05T12:00:00Z",
			[]string{"2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"},
		},
		{
			"half an hour, put on", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"},
		},
		{
			"half an hour, put back", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z",
			[]string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"},
		},
		{
			"every hour, put on", "30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"},
		},
		{
			"every hour, put back", "30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"},
		},
		{
			"a span of time", "@every 90m", "Europe/Berlin", "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T03:30:00+02:00", "2026-03-29T05:00:00+02:00"},
		},
		{"no such day", "0 0 30 2 *", "Europe/Berlin", "2026-03-29T00:00:00Z", []string{"never"}},
	} {
		times, err := CronTrigger{Schedule: c.schedule, Zone: c.zone}.timetable()
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range c.want {
			if at = times.next(at); at.IsZero() {
				got = append(got, "never")
				break
			}
			got = append(got, at.Format(time.RFC3339))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// FuzzTimetable holds that a schedule goes on, and never back.
func FuzzTimetable(f *testing.F) {
	f.Add("30 2 * * *", int64(1774742400))
	f.Add("*/7 0-23/5 29 2 1", int64(0))
	f.Add("TZ=UTC", int64(0))
	f.Fuzz(func(t *testing.T, schedule string, since int64) {
		times, err := CronTrigger{Schedule: schedule, Zone: "Africa/Cairo"}.timetable()
		if err != nil {
			return
		}
		after := time.Unix(since%(1<<32), 0)
		for range 3 {
			next := times.next(after)
			if next.IsZero() {
				return
			}
			if !next.After(after) {
				t.Fatalf("%q is due at %s after %s", schedule, next, after)
			}
			after = next
		}
	})
}
