package pipeline

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"batuta"
)

// leastEvery is the shortest time that @every takes.
const leastEvery = time.Minute

// timetable is a schedule in its time zone.
type timetable struct {
	schedule cron.Schedule
	zone     *time.Location

	// byWall is a schedule that names its hours: it goes by what a clock on
	// the wall shows, which the change to summer time puts on and the change
	// from it back.
	byWall bool
}

// timetable reads the trigger's schedule.
func (c CronTrigger) timetable() (timetable, error) {
	zone, err := batuta.ParseZone(c.Zone)
	if err != nil {
		return timetable{}, err
	}
	if strings.Contains(c.Schedule, "TZ=") {
		return timetable{}, &batuta.Error{Kind: batuta.Invalid, Message: "the time zone has a key of its own", Hint: `write {schedule: "0 4 * * *", zone: Europe/Berlin}`}
	}
	if text, is := strings.CutPrefix(c.Schedule, "@every "); is {
		if every, err := time.ParseDuration(text); err == nil && every < leastEvery {
			return timetable{}, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%s is less than a minute", text), Hint: "write @every 1m or more: @every 6h"}
		}
	}
	schedule, err := cron.ParseStandard(c.Schedule)
	if err != nil {
		return timetable{}, err
	}
	fields, ok := schedule.(*cron.SpecSchedule)
	return timetable{schedule, zone, ok && fields.Hour&everyHour != everyHour}, nil
}

// everyHour is the hours of a schedule that has all of them, a bit for each.
const everyHour = 1<<24 - 1

// next is the first time after an instant at which the schedule is due; zero if
// there is none.
//
// A schedule that names its hours is due at once after a change of the clock
// that skipped its time, and at the first of two times that the clock shows.
func (t timetable) next(after time.Time) time.Time {
	after = after.In(t.zone)
	if !t.byWall {
		return t.schedule.Next(after)
	}
	for wall := wallOf(after); ; {
		wall = t.schedule.Next(wall)
		if wall.IsZero() {
			return wall
		}
		if at := firstAt(wall, t.zone); at.After(after) {
			return at
		}
	}
}

// wallOf is what the clock shows at an instant, as if it never changed.
func wallOf(at time.Time) time.Time {
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
}

// firstAt is the first instant at which the clock of a zone shows that time, or
// the instant at which it passes over it.
func firstAt(wall time.Time, zone *time.Location) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	begin, end := at.ZoneBounds()
	switch shown := wallOf(at); {
	case shown.After(wall):
		return begin
	case shown.Before(wall):
		return end
	case begin.IsZero():
		return at
	}
	_, now := at.Zone()
	_, before := begin.Add(-1).Zone()
	if earlier := at.Add(time.Duration(now-before) * time.Second); earlier.Before(begin) && wallOf(earlier).Equal(wall) {
		return earlier
	}
	return at
}
