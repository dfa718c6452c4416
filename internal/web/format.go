package web

import (
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode/utf8"
)

// words are the functions that the pages call.
var words = template.FuncMap{"age": age, "took": took, "stamp": stamp, "first": first, "tone": tone, "percent": percent}

// age is how long ago something was, in one unit; empty if it never was.
func age(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	switch d := time.Since(t); {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}

// took is how long something lasted, or has lasted so far; empty if it never
// began.
func took(from, to time.Time) string {
	if from.IsZero() {
		return ""
	}
	if to.IsZero() {
		to = time.Now()
	}
	switch d := max(to.Sub(from), 0); {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
}

// stamp is a moment for those who want to know exactly; empty if there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// longest is how many bytes of a text a table shows.
const longest = 240

// first is the first line of a text, as far as a table has room for it.
func first(text string) string {
	head, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	if len(head) > longest {
		end := longest
		for !utf8.RuneStart(head[end]) {
			end--
		}
		head, more = head[:end], true
	}
	if more {
		head += " …"
	}
	return head
}

// tone is the class of a status of a run, a step or a deployment.
func tone(status any) string {
	switch fmt.Sprint(status) {
	case "succeeded", "live":
		return "good"
	case "failed", "rolled back":
		return "bad"
	case "running", "queued", "applying":
		return "busy"
	}
	return "soft"
}

// percent is how much of a whole a part is; empty if the whole is not known.
func percent(part, whole int64) string {
	if whole <= 0 {
		return ""
	}
	return fmt.Sprintf("%d %%", part*100/whole)
}
