package batuta

import (
	"fmt"
	"strings"
	"time"
)

// Freeze is a span of days on which an environment takes no promotions.
type Freeze struct{ from, until time.Time } // until is not included

// Contains tells whether an instant is within the freeze.
func (f Freeze) Contains(at time.Time) bool { return !at.Before(f.from) && at.Before(f.until) }

// ParseFreeze reads "2026-12-20..2027-01-06 Europe/Berlin". Both days are
// included; the zone may be left out: UTC.
func ParseFreeze(text string) (Freeze, error) {
	bad := &Error{Kind: Invalid, Message: fmt.Sprintf("%q is not a span of days", text), Hint: "write the first and the last day, and a time zone: 2026-12-20..2027-01-06 Europe/Berlin"}
	parts := strings.Fields(text)
	if len(parts) < 1 || len(parts) > 2 {
		return Freeze{}, bad
	}
	zone, err := parseZone(parts[1:])
	if err != nil {
		return Freeze{}, err
	}
	first, last, ok := strings.Cut(parts[0], "..")
	from, err := time.ParseInLocation(time.DateOnly, first, zone)
	if !ok || err != nil {
		return Freeze{}, bad
	}
	to, err := time.ParseInLocation(time.DateOnly, last, zone)
	if err != nil || to.Before(from) {
		return Freeze{}, bad
	}
	return Freeze{from, to.AddDate(0, 0, 1)}, nil
}
