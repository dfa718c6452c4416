package batuta

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Window is a time of the week in which an environment takes promotions.
type Window struct {
	days     [7]bool       // by time.Weekday
	from, to time.Duration // since midnight; to is not included, and of the next day if it is not after from
	zone     *time.Location
}

// Contains tells whether an instant is within the window.
func (w Window) Contains(at time.Time) bool {
	at = at.In(w.zone)
	since := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
	today, yesterday := w.days[at.Weekday()], w.days[(at.Weekday()+6)%7]
	if w.from < w.to {
		return today && since >= w.from && since < w.to
	}
	return today && since >= w.from || yesterday && since < w.to
}

// weekdays are the days by the names that windows use.
var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// ParseWindow reads "Mon-Fri 08:00-16:00 Europe/Berlin". The end is not
// included; the zone may be left out: UTC. "Fri 22:00-02:00" begins on Fridays
// and ends on Saturdays.
func ParseWindow(text string) (Window, error) {
	bad := &Error{Kind: Invalid, Message: fmt.Sprintf("%q is not a time window", text), Hint: "write days, hours and a time zone: Mon-Fri 08:00-16:00 Europe/Berlin, or Fri 22:00-02:00, which ends the day after"}
	parts := strings.Fields(text)
	if len(parts) < 2 || len(parts) > 3 {
		return Window{}, bad
	}
	var w Window
	var err error
	if w.days, err = parseDays(parts[0]); err != nil {
		return w, bad
	}
	from, to, ok := strings.Cut(parts[1], "-")
	if w.from, err = parseHour(from); !ok || err != nil || w.from == 24*time.Hour {
		return w, bad
	}
	if w.to, err = parseHour(to); err != nil || w.to == w.from {
		return w, bad
	}
	if w.zone, err = parseZone(parts[2:]); err != nil {
		return w, err
	}
	return w, nil
}

// parseDays reads Mon-Fri, Sat,Sun, or Mon; Fri-Mon goes over the weekend.
func parseDays(text string) (days [7]bool, err error) {
	for span := range strings.SplitSeq(text, ",") {
		first, last, isSpan := strings.Cut(span, "-")
		from, to := slices.Index(weekdays, first), slices.Index(weekdays, last)
		if !isSpan {
			to = from
		}
		if from < 0 || to < 0 {
			return days, fmt.Errorf("%q is not a day", span)
		}
		for day := from; ; day = (day + 1) % 7 {
			days[day] = true
			if day == to {
				break
			}
		}
	}
	return days, nil
}

// parseHour reads 08:00; 24:00 is the end of the day.
func parseHour(text string) (time.Duration, error) {
	if text == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", text)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}

// ParseZone finds a time zone of the IANA database by its name. Local, which
// is another one on each machine, is none.
func ParseZone(name string) (*time.Location, error) {
	if zone, err := time.LoadLocation(name); err == nil && name != "Local" && name != "" {
		return zone, nil
	}
	return nil, &Error{Kind: Invalid, Message: fmt.Sprintf("no time zone %q", name), Hint: "write one of the IANA database: Europe/Berlin, UTC"}
}

func parseZone(rest []string) (*time.Location, error) {
	if len(rest) == 0 {
		return time.UTC, nil
	}
	return ParseZone(rest[0])
}
