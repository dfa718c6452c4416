package main

import (
	"fmt"
	"strings"

	"batuta"
	"batuta/pipeline"
)

// printMatrix is a line for each service and a column for each ship; below it
// stands what is not as it should be.
func (p *program) printMatrix(all []pipeline.EnvironmentStatus) error {
	if len(all) == 0 {
		fmt.Fprintln(p.stderr, "no environments yet")
		return nil
	}
	m := pipeline.MatrixOf(all, nil)
	head := []string{"APP", "ENVIRONMENT", "SERVICE"}
	for _, ship := range m.Ships {
		head = append(head, p.paint(plain, strings.ToUpper(string(ship))))
	}
	rows := [][]string{head}
	for _, r := range m.Rows {
		env := string(r.Environment)
		if r.Drift {
			env += " (drift)"
		}
		row := []string{string(r.App), env, dash(string(r.Service))}
		for _, ship := range m.Ships {
			row = append(row, p.cell(r, r.Cells[ship]))
		}
		rows = append(rows, row)
	}
	if err := table(p.stdout, rows); err != nil {
		return err
	}
	p.printTroubles(all)
	return nil
}

// cell is what one ship has of a service: 2 ✓ r12 3d; 1/2 ✗ r12; 1 ?.
func (p *program) cell(r pipeline.MatrixRow, c pipeline.MatrixCell) string {
	text, mark, paint := "", "✓", green
	switch {
	case c.Wanted == 0 && c.Extra == 0:
		return p.paint(grey, "·")
	case c.Unknown:
		return p.paint(red, fmt.Sprintf("%d ? lost", c.Wanted))
	case c.Wanted == 0:
		text, mark, paint = fmt.Sprintf("+%d", c.Extra), "extra", yellow
	case c.Ready < c.Wanted:
		text, mark, paint = fmt.Sprintf("%d/%d", c.Ready, c.Wanted), "✗", red
	default:
		text = fmt.Sprint(c.Wanted)
	}
	words := []string{text, mark, releases(c.Releases), p.age(c.Since)}
	if c.Wanted > 0 && c.Extra > 0 {
		words = append(words, fmt.Sprintf("+%d extra", c.Extra))
	}
	if paint == green && (len(c.Releases) > 1 || len(c.Releases) == 1 && c.Releases[0] != r.Release) {
		paint = yellow
	}
	return p.paint(paint, strings.Join(strings.Fields(strings.Join(words, " ")), " "))
}

func releases(all []batuta.ReleaseNumber) string {
	words := make([]string, len(all))
	for i, n := range all {
		words[i] = fmt.Sprintf("r%d", n)
	}
	return strings.Join(words, "+")
}

// printTroubles says of each environment what is not as it should be.
func (p *program) printTroubles(all []pipeline.EnvironmentStatus) {
	first := true
	say := func(s pipeline.EnvironmentStatus, text string) {
		if first {
			fmt.Fprintln(p.stdout)
			first = false
		}
		fmt.Fprintf(p.stdout, "%s %s: %s\n", s.App, s.Environment, oneLine(text))
	}
	for _, s := range all {
		if s.Release != 0 && !s.Healthy && s.Reason != "" {
			say(s, s.Reason)
		}
		if s.Drift != nil {
			for _, line := range p.driftLines(*s.Drift) {
				say(s, line)
			}
		}
	}
}

// driftLines is how an environment differs, and what is done about it.
func (p *program) driftLines(d pipeline.Drift) []string {
	var all []string
	for _, line := range d.Drift {
		all = append(all, fmt.Sprintf("drift, seen %s: %s", p.ago(d.Since), line))
	}
	for _, line := range d.Moves {
		all = append(all, "to be moved: "+line)
	}
	switch {
	case d.Tries > 0 && d.Next.After(p.now()):
		all = append(all, fmt.Sprintf("%d tries to mend it failed, the next is in %s: %s", d.Tries, span(d.Next.Sub(p.now())), d.Why))
	case d.Run > 0:
		all = append(all, fmt.Sprintf("run %d is to mend it", d.Run))
	}
	return all
}
