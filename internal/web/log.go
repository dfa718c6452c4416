package web

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// shownLog is how many bytes of a run's log its page shows, from the end: the
// page is loaded anew every two seconds while the run goes on.
const shownLog = 256 << 10

// tail keeps the last bytes that are written to it.
type tail struct {
	limit int
	kept  []byte
	total int64
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.total += int64(len(p))
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*t.limit {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-t.limit:]...)
	}
	return len(p), nil
}

// lines is what is kept, from the beginning of a line.
func (t *tail) lines() []byte {
	if t.total <= int64(t.limit) {
		return t.kept
	}
	_, whole, _ := bytes.Cut(t.kept[len(t.kept)-t.limit:], []byte("\n"))
	return whole
}

// skipped tells how much is not among the lines.
func (t *tail) skipped() string {
	if n := t.total - int64(len(t.lines())); n > 0 {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return ""
}

// part is what one step printed in one go.
type part struct {
	Step  string
	Lines []line
}

// line is one line of a log.
type line struct {
	At   time.Time // zero: not known
	Text string
}

// parts reads a log as pipeline.FileLogs writes it: time, step and text,
// separated by tabs.
func parts(log []byte) []part {
	var all []part
	for text := range strings.Lines(string(log)) {
		step, l := parseLine(strings.TrimRight(text, "\r\n"))
		if len(all) == 0 || all[len(all)-1].Step != step {
			all = append(all, part{Step: step})
		}
		last := &all[len(all)-1]
		last.Lines = append(last.Lines, l)
	}
	return all
}

func parseLine(text string) (step string, l line) {
	if fields := strings.SplitN(text, "\t", 3); len(fields) == 3 {
		if at, err := time.Parse(time.RFC3339Nano, fields[0]); err == nil {
			return fields[1], line{at, plain(fields[2])}
		}
	}
	return "", line{Text: plain(text)}
}

// escapes are the sequences that colour a terminal or move its cursor:
// ECMA-48, section 5.4.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]")

// plain is a text without what only a terminal understands.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, escapes.ReplaceAllString(text, ""))
}
