package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/internal/document"
)

// stageFile is an entry of promote: an environment's name, or a mapping with
// its name and the rules by which it takes a promotion.
type stageFile struct {
	To        string        `yaml:"to"`
	Soak      time.Duration `yaml:"soak,omitempty"`
	Approvers []string      `yaml:"approvers,omitempty"`
	Approvals int           `yaml:"approvals,omitempty"`
	Windows   []string      `yaml:"windows,omitempty"`
	Freeze    []string      `yaml:"freeze,omitempty"`
}

var _ document.Unmarshaler = (*stageFile)(nil)

// UnmarshalDocument reads either form.
func (s *stageFile) UnmarshalDocument(n document.Node) error {
	if name, ok := n.Scalar(); ok {
		s.To = name
		return nil
	}
	type plain stageFile
	return n.Decode((*plain)(s))
}

// MarshalYAML writes the name alone where there are no rules.
func (s stageFile) MarshalYAML() (any, error) {
	type plain stageFile
	if s.rules().IsZero() {
		return s.To, nil
	}
	return plain(s), nil
}

func (s stageFile) rules() batuta.Stage {
	return batuta.Stage{Soak: s.Soak, Approvers: s.Approvers, Approvals: s.Approvals, Windows: s.Windows, Freeze: s.Freeze}
}

// readOrder reads promote: the environments in their order, and their rules.
func readOrder(doc *document.Document, at document.Path, stages []stageFile) ([]batuta.EnvironmentName, map[batuta.EnvironmentName]batuta.Stage) {
	if len(stages) == 0 {
		doc.Problem(at, "promote is missing", "list the environments in their order: promote: [qa, production]")
	}
	var order []batuta.EnvironmentName
	var rules map[batuta.EnvironmentName]batuta.Stage
	for i, s := range stages {
		env, here := batuta.EnvironmentName(s.To), at.At(fmt.Sprint(i))
		if err := batuta.CheckLabel(s.To); err != nil {
			problem(doc, here, err)
		}
		if slices.Contains(order, env) {
			doc.Problem(here, s.To+" stands twice", "")
		}
		order = append(order, env)
		if r := s.rules(); !r.IsZero() {
			checkStage(doc, here, i, r)
			if rules == nil {
				rules = map[batuta.EnvironmentName]batuta.Stage{}
			}
			rules[env] = r
		}
	}
	return order, rules
}

func checkStage(doc *document.Document, at document.Path, place int, s batuta.Stage) {
	if place == 0 {
		doc.Problem(at, "a push deploys to the first environment: nothing is promoted to it", "give the rules to a later one")
	}
	if s.Approvals < 0 || len(s.Approvers) > 0 && s.Approvals > len(s.Approvers) {
		doc.Problem(at.At("approvals"), fmt.Sprintf("%d approvals of %d approvers", s.Approvals, len(s.Approvers)), "")
	}
	for i, w := range s.Windows {
		if _, err := parseWindow(w); err != nil {
			problem(doc, at.At("windows", fmt.Sprint(i)), err)
		}
	}
	for i, f := range s.Freeze {
		if _, err := parseFreeze(f); err != nil {
			problem(doc, at.At("freeze", fmt.Sprint(i)), err)
		}
	}
}

// window is a time of the week.
type window struct {
	days     [7]bool       // by time.Weekday
	from, to time.Duration // since midnight; to is not included
	zone     *time.Location
}

// contains tells whether an instant is within the window.
func (w window) contains(at time.Time) bool {
	at = at.In(w.zone)
	since := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
	return w.days[at.Weekday()] && since >= w.from && since < w.to
}

// weekdays are the days by the names that windows use.
var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// parseWindow reads "Mon-Fri 08:00-16:00 Europe/Berlin". The zone may be left
// out: UTC.
func parseWindow(text string) (window, error) {
	bad := &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a time window", text), Hint: "write days, hours and a time zone: Mon-Fri 08:00-16:00 Europe/Berlin"}
	parts := strings.Fields(text)
	if len(parts) < 2 || len(parts) > 3 {
		return window{}, bad
	}
	var w window
	var err error
	if w.days, err = parseDays(parts[0]); err != nil {
		return w, bad
	}
	from, to, ok := strings.Cut(parts[1], "-")
	if w.from, err = parseHour(from); !ok || err != nil {
		return w, bad
	}
	if w.to, err = parseHour(to); err != nil || w.to <= w.from {
		return w, bad
	}
	if w.zone, err = parseZone(parts[2:]); err != nil {
		return w, bad
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

func parseZone(rest []string) (*time.Location, error) {
	if len(rest) == 0 {
		return time.UTC, nil
	}
	return time.LoadLocation(rest[0])
}

// freeze is a span of days; until is not included.
type freeze struct{ from, until time.Time }

// contains tells whether an instant is within the freeze.
func (f freeze) contains(at time.Time) bool { return !at.Before(f.from) && at.Before(f.until) }

// parseFreeze reads "2026-12-20..2027-01-06 Europe/Berlin". The zone may be
// left out: UTC.
func parseFreeze(text string) (freeze, error) {
	bad := &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a span of days", text), Hint: "write the first and the last day, and a time zone: 2026-12-20..2027-01-06 Europe/Berlin"}
	parts := strings.Fields(text)
	if len(parts) < 1 || len(parts) > 2 {
		return freeze{}, bad
	}
	zone, err := parseZone(parts[1:])
	if err != nil {
		return freeze{}, bad
	}
	first, last, ok := strings.Cut(parts[0], "..")
	from, err := time.ParseInLocation(time.DateOnly, first, zone)
	if !ok || err != nil {
		return freeze{}, bad
	}
	to, err := time.ParseInLocation(time.DateOnly, last, zone)
	if err != nil || to.Before(from) {
		return freeze{}, bad
	}
	return freeze{from, to.AddDate(0, 0, 1)}, nil
}
