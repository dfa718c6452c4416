package jinja

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// Place is where something stands in a template.
type Place struct {
	File   string // as it was given or loaded
	Line   int    // from 1
	Column int    // from 1, in characters
}

// Rendered is what a template renders to, and knows where each part of it
// comes from.
type Rendered struct {
	Text  string
	lines []int // where each begins
	plain bool  // each character is one byte
	marks []mark
}

// mark begins a part of an output.
type mark struct {
	offset  int
	from    *Place
	literal bool // the part stands in the template as it is
}

func rendered(o *output) Rendered {
	r := Rendered{Text: o.String(), lines: []int{0}, marks: o.marks}
	for i := range len(r.Text) {
		if r.Text[i] == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	r.plain = len(r.Text) == utf8.RuneCountInString(r.Text)
	return r
}

// Source is where a character of the text comes from: its own place, or that of
// the {{ which wrote it. There is none in an empty text.
func (r Rendered) Source(line, column int) (Place, bool) {
	line = min(max(line, 1), len(r.lines))
	start, end := r.lines[line-1], len(r.Text)
	if line < len(r.lines) {
		end = r.lines[line] - 1
	}
	offset := start + r.bytes(r.Text[start:end], column-1)
	n := sort.Search(len(r.marks), func(i int) bool { return r.marks[i].offset > offset }) - 1
	if n < 0 {
		return Place{}, false
	}
	m := r.marks[n]
	p := *m.from
	if !m.literal {
		return p, true
	}
	began := sort.SearchInts(r.lines, m.offset+1) // the line that the part begins in
	if began == line {
		p.Column += r.characters(r.Text[m.offset:offset])
	} else {
		p.Line, p.Column = p.Line+line-began, r.characters(r.Text[start:offset])+1
	}
	return p, true
}

func (r Rendered) characters(s string) int {
	if r.plain {
		return len(s)
	}
	return utf8.RuneCountInString(s)
}

// bytes is how many bytes so many characters have.
func (r Rendered) bytes(s string, characters int) int {
	if r.plain {
		return max(min(characters, len(s)), 0)
	}
	for i := range s {
		if characters--; characters < 0 {
			return i
		}
	}
	return len(s)
}

// output is what is being written.
type output struct {
	strings.Builder
	marks []mark
}

func (r *runtime) room(n int) {
	if r.out.Len()+n > maxOutput {
		fail("the template renders to more than %d bytes", maxOutput)
	}
}

// write adds a text to the output.
func (r *runtime) write(s string, from *Place, literal bool) {
	if r.room(len(s)); s == "" {
		return
	}
	r.out.marks = append(r.out.marks, mark{r.out.Len(), from, literal})
	r.out.WriteString(s)
}

// writeValue adds a value to the output. What a macro or a block wrote just now
// keeps its places.
func (r *runtime) writeValue(v any, from *Place) {
	s := str(v)
	if r.last != nil && s != "" && s == r.last.String() {
		r.splice(r.last)
		return
	}
	r.write(s, from, false)
}

// splice adds what was written elsewhere.
func (r *runtime) splice(from *output) {
	r.room(from.Len())
	for _, m := range from.marks {
		m.offset += r.out.Len()
		r.out.marks = append(r.out.marks, m)
	}
	r.out.WriteString(from.String())
}
