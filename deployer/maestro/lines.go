package maestro

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxMatches bounds how long lines are looked for.
const maxMatches = 5_000_000

// lines leads from the lines of a rendered document back to those of its
// template.
type lines struct {
	rendered []string
	source   []int // by rendered line: the template's, from 1; 0 if it cannot be told
	exact    int   // so many lines from the first are where they were
}

var inTemplate = regexp.MustCompile(`(?s)\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}`)

// align finds for each rendered line the template's line that it came from: the
// only one that can have rendered to it, or of several the one that follows the
// line before.
func align(template, rendered string) *lines {
	from := strings.Split(strings.ReplaceAll(template, "\r\n", "\n"), "\n")
	l := &lines{rendered: strings.Split(rendered, "\n")}
	literal := map[string][]int{} // lines without a tag, by their text
	type pattern struct {
		before, after string
		line          int
	}
	var patterns []pattern
	for i, line := range from {
		m := inTemplate.FindAllStringIndex(line, -1)
		if m == nil {
			literal[line] = append(literal[line], i+1)
		} else if rest := strings.TrimSpace(inTemplate.ReplaceAllString(line, "")); rest != "" {
			patterns = append(patterns, pattern{line[:m[0][0]], line[m[len(m)-1][1]:], i + 1})
		}
	}
	last := 0
	for _, line := range l.rendered {
		found := literal[line]
		if len(found) == 0 && len(patterns)*len(l.rendered) < maxMatches {
			for _, p := range patterns {
				if len(line) >= len(p.before)+len(p.after) && strings.HasPrefix(line, p.before) && strings.HasSuffix(line, p.after) {
					found = append(found, p.line)
				}
			}
		}
		at := choose(found, last)
		if at > 0 {
			last = at
		}
		l.source = append(l.source, at)
	}
	for l.exact < len(l.source) && l.source[l.exact] == l.exact+1 {
		l.exact++
	}
	return l
}

// choose takes the only line of a sorted list, or the first after the last.
func choose(found []int, last int) int {
	if len(found) == 1 {
		return found[0]
	}
	if n, _ := slices.BinarySearch(found, last+1); n < len(found) {
		return found[n]
	}
	return 0
}

// tell gives a place in the template for one in the rendered document. Where
// the two differ, the message says both.
func (l *lines) tell(line, column int, message string) (int, int, string) {
	if line < 1 || line > len(l.source) || line <= l.exact {
		return line, column, message
	}
	text := strings.TrimSpace(l.rendered[line-1])
	if cut := []rune(text); len(cut) > 60 {
		text = string(cut[:60]) + "…"
	}
	if at := l.source[line-1]; at > 0 {
		return at, column, fmt.Sprintf("%s (line %d of the rendered document)", message, line)
	}
	return 1, 1, fmt.Sprintf("%s (line %d of the rendered document: %s)", message, line, text)
}
