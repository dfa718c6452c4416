package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"batuta"
)

// format is how a list is printed: text or json.
type format string

var _ pflag.Value = (*format)(nil)

// String is the word for it.
func (f *format) String() string { return string(*f) }

// Set takes one of the two words.
func (f *format) Set(word string) error {
	if word != "text" && word != "json" {
		return fmt.Errorf("write text or json")
	}
	*f = format(word)
	return nil
}

// Type names the values in the help.
func (f *format) Type() string { return "text|json" }

// formatFlag adds -o to a command that lists.
func formatFlag(flags *pflag.FlagSet) *format {
	f := format("text")
	flags.VarP(&f, "output", "o", "how to print it")
	return &f
}

// show prints what was asked for: as JSON, or as text by the function.
func show[T any](p *program, f *format, what T, text func(T) error) error {
	if *f == "text" {
		return text(what)
	}
	out := json.NewEncoder(p.stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(what)
}

// table prints rows in aligned columns, the first row being the headings.
func table(w io.Writer, rows [][]string) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for len(row) > 1 && row[len(row)-1] == "" {
			row = row[:len(row)-1]
		}
		fmt.Fprintln(out, strings.Join(row, "\t"))
	}
	return out.Flush()
}

// colour is a terminal's. All take the same room, so that columns in which
// every cell has one stay aligned.
type colour string

const (
	plain  colour = "\x1b[39m"
	red    colour = "\x1b[31m"
	green  colour = "\x1b[32m"
	yellow colour = "\x1b[33m"
	grey   colour = "\x1b[90m"
)

// paint colours a text for stdout, if that is a terminal that likes it.
func (p *program) paint(c colour, text string) string {
	if !isTerminal(p.stdout) || p.getenv("NO_COLOR") != "" || p.getenv("TERM") == "dumb" {
		return text
	}
	return string(c) + text + string(plain)
}

// isTerminal tells whether a person is at the other end.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// statusColour is the one of a run's, a step's or a deployment's status.
func statusColour(status string) colour {
	switch status {
	case string(batuta.RunSucceeded), string(batuta.Live):
		return green
	case string(batuta.RunFailed), string(batuta.RolledBack):
		return red
	case string(batuta.RunWaiting), string(batuta.RunQueued), string(batuta.RunRunning), string(batuta.Applying):
		return yellow
	}
	return grey
}

// ago is how long before now something happened, in one unit.
func (p *program) ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := p.now().Sub(t)
	if d < time.Second {
		return "now"
	}
	return span(d) + " ago"
}

// span is a duration in its largest unit, for people who compare.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

// took is how long something has been running, or ran: 850ms, 9.2s, 3m20s.
func (p *program) took(started, ended time.Time) string {
	switch {
	case started.IsZero():
		return ""
	case ended.IsZero():
		ended = p.now()
	}
	d := ended.Sub(started)
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// number is a release's number, or a dash for none.
func number(n batuta.ReleaseNumber) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// dash stands for what is not known.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
