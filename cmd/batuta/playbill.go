package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"batuta/deployer"
)

// playbill shows how a play goes: to a terminal as a table that is painted
// over, to anything else as one line for each instance, when it has come to
// its end and those before it have.
type playbill struct {
	p       *program
	rows    []deployer.Cue
	widths  [3]int
	printed int  // rows that are on paper
	live    bool // painted over
	columns int  // of the terminal
}

func (p *program) playbill(cues []deployer.Cue) *playbill {
	b := &playbill{p: p, rows: cues, widths: [3]int{len("INSTANCE"), len("SERVICE"), len("SHIP")}}
	for _, c := range cues {
		for n, text := range []string{string(c.Instance), string(c.Service), string(c.Ship)} {
			b.widths[n] = max(b.widths[n], len(text))
		}
	}
	if f, ok := p.stdout.(*os.File); ok && isTerminal(f) && p.getenv("TERM") != "dumb" {
		columns, lines, err := term.GetSize(int(f.Fd()))
		b.live, b.columns = err == nil && len(cues)+2 < lines, columns
	}
	fmt.Fprintln(p.stdout, b.line("#", "INSTANCE", "SERVICE", "SHIP", "STATUS"))
	for n := range b.rows {
		if b.live {
			fmt.Fprintln(p.stdout, b.row(n))
		}
	}
	return b
}

func (b *playbill) line(number, instance, service, ship, text string) string {
	return fmt.Sprintf("%3s  %-*s  %-*s  %-*s  %s", number, b.widths[0], instance, b.widths[1], service, b.widths[2], ship, text)
}

func (b *playbill) row(n int) string {
	c := b.rows[n]
	line := b.line(fmt.Sprint(n+1), string(c.Instance), string(c.Service), string(c.Ship), strings.TrimSpace(c.Text))
	if b.live && len([]rune(line)) > b.columns {
		line = string([]rune(line)[:b.columns-1]) + "…"
	}
	switch {
	case c.Err != nil:
		return b.p.paint(red, line)
	case c.Final:
		return b.p.paint(green, line)
	}
	return line
}

// cue takes what becomes of an instance. A warning about the whole play goes
// to stderr.
func (b *playbill) cue(c deployer.Cue) {
	if c.Number < 0 {
		fmt.Fprintln(b.p.stderr, "warning:", c.Text)
		b.live = false // what is on the screen has moved
		return
	}
	b.rows[c.Number] = c
	if b.live {
		up := len(b.rows) - c.Number
		fmt.Fprintf(b.p.stdout, "\x1b[%dA\r\x1b[2K%s\x1b[%dB\r", up, b.row(c.Number), up)
		return
	}
	for b.printed < len(b.rows) && b.rows[b.printed].Final {
		fmt.Fprintln(b.p.stdout, b.row(b.printed))
		b.printed++
	}
}

// end puts on paper what has not come to its end.
func (b *playbill) end() {
	if b.live {
		return
	}
	for ; b.printed < len(b.rows); b.printed++ {
		fmt.Fprintln(b.p.stdout, b.row(b.printed))
	}
}
