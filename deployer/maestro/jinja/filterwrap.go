package jinja

import (
	"slices"
	"strings"
	"unicode"
)

// The white space at which Python's textwrap breaks lines.
const wrapSpace = "\t\n\v\f\r "

func filterCenter(_ *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "width")
	width := 80
	if v, ok := given["width"]; ok {
		width = wholeArgument([]any{v}, 0)
	}
	return center(str(given["value"]), width, ' ')
}

// center puts a text in the middle, as Python's str.center: of an odd number of
// spaces the one more is on the left if the width is odd.
func center(s string, width int, fill rune) string {
	n := len([]rune(s))
	missing := width - n
	if missing <= 0 {
		return s
	}
	left := missing/2 + missing&width&1
	return pad(pad(s, n+left, '>', fill), width, '<', fill)
}

func filterTruncate(_ *runtime, args []any, named map[string]any) any {
	given := take(args, named, "s", "length", "killwords", "end", "leeway")
	whole := func(name string, otherwise int) int {
		if v := given[name]; v != nil {
			return wholeArgument([]any{v}, 0)
		}
		return otherwise
	}
	end := "..."
	if v, ok := given["end"]; ok {
		end = str(v)
	}
	text, tail := []rune(str(given["s"])), len([]rune(end))
	length, leeway := whole("length", 255), whole("leeway", 5)
	switch {
	case length < tail || leeway < 0:
		fail("truncate wants a length of at least %d, and a leeway of at least 0", tail)
	case len(text) <= length+leeway:
		return string(text)
	}
	kept := string(text[:length-tail])
	if at := strings.LastIndexByte(kept, ' '); at >= 0 && !truth(given["killwords"]) {
		kept = kept[:at]
	}
	return bounded(kept + end)
}

func isLetter(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) || c == '_' }

func filterWordCount(_ *runtime, args []any, _ map[string]any) any {
	return len(strings.FieldsFunc(str(args[0]), func(c rune) bool { return !isLetter(c) }))
}

// filterWordWrap breaks lines as Python's textwrap does.
func filterWordWrap(r *runtime, args []any, named map[string]any) any {
	given := take(args, named, "s", "width", "break_long_words", "wrapstring", "break_on_hyphens")
	w := wrapper{width: 79, long: true, hyphens: true}
	if v, ok := given["width"]; ok {
		if w.width = wholeArgument([]any{v}, 0); w.width < 1 {
			fail("a width of %d", w.width)
		}
	}
	if v, ok := given["break_long_words"]; ok {
		w.long = truth(v)
	}
	if v, ok := given["break_on_hyphens"]; ok {
		w.hyphens = truth(v)
	}
	end := "\n"
	if v := given["wrapstring"]; v != nil {
		end = str(v)
	}
	var lines []string
	text := str(given["s"])
	r.spend(len(text))
	for _, line := range splitLines(text).(*array).items {
		lines = append(lines, joined(w.wrap([]rune(line.(string))), end))
	}
	return joined(lines, end)
}

type wrapper struct {
	width         int
	long, hyphens bool // words are broken where they are too long, or after a hyphen
}

func (w wrapper) wrap(text []rune) []string {
	chunks := w.chunks(text)
	blank := func(chunk []rune) bool { return strings.TrimSpace(string(chunk)) == "" }
	var lines []string
	for len(chunks) > 0 {
		if blank(chunks[0]) && len(lines) > 0 {
			chunks = chunks[1:]
		}
		var line [][]rune
		size := 0
		for len(chunks) > 0 && size+len(chunks[0]) <= w.width {
			size += len(chunks[0])
			line, chunks = append(line, chunks[0]), chunks[1:]
		}
		if len(chunks) > 0 && len(chunks[0]) > w.width {
			switch cut := w.cut(chunks[0], w.width-size); {
			case w.long:
				line = append(line, chunks[0][:cut])
				chunks[0] = chunks[0][cut:]
			case len(line) == 0:
				line, chunks = append(line, chunks[0]), chunks[1:]
			}
		}
		if n := len(line); n > 0 && blank(line[n-1]) {
			line = line[:n-1]
		}
		if len(line) > 0 {
			lines = append(lines, string(slices.Concat(line...)))
		}
	}
	return lines
}

// cut is where a word that is too long for a line is broken.
func (w wrapper) cut(word []rune, left int) int {
	if !w.hyphens || len(word) <= left {
		return left
	}
	head := string(word[:left])
	if at := strings.LastIndexByte(head, '-'); at > 0 && strings.Trim(head[:at], "-") != "" {
		return len([]rune(head[:at])) + 1
	}
	return left
}

// chunks cuts a line where it may be broken.
func (w wrapper) chunks(text []rune) [][]rune {
	var out [][]rune
	for at := 0; at < len(text); {
		end := at + 1
		switch space := wraps(text, at); {
		case space:
			for wraps(text, end) {
				end++
			}
		case !w.hyphens:
			for end < len(text) && !wraps(text, end) {
				end++
			}
		default:
			end = word(text, at)
		}
		out = append(out, text[at:end:end])
		at = end
	}
	return out
}

func wraps(text []rune, at int) bool {
	return at < len(text) && strings.ContainsRune(wrapSpace, text[at])
}

// word finds the end of the word, or of a part of it, that begins at a place.
func word(text []rune, from int) int {
	is := func(at int, kind func(rune) bool) bool { return at >= 0 && at < len(text) && kind(text[at]) }
	punctuated := func(c rune) bool { return isLetter(c) || strings.ContainsRune(`!"'&.,?`, c) }
	alphabetic := func(c rune) bool { return isLetter(c) && !unicode.IsDigit(c) }
	hyphen := func(c rune) bool { return c == '-' }
	dash := func(at int) int { // where -- ends before a letter; 0 if it does not
		end := at
		for is(end, hyphen) {
			end++
		}
		if !is(at-1, punctuated) || end < at+2 || !is(end, isLetter) {
			return 0
		}
		return end
	}
	if end := dash(from); end > 0 {
		return end
	}
	for end := from + 1; ; end++ {
		joins := is(end-2, alphabetic) && is(end-1, alphabetic) || is(end-3, alphabetic) && is(end-2, hyphen) && is(end-1, punctuated)
		goes := is(end+1, alphabetic) && (is(end+2, alphabetic) || is(end+2, hyphen) && is(end+3, alphabetic))
		switch {
		case is(end, hyphen) && joins && goes:
			return end + 1
		case end == len(text) || wraps(text, end) || dash(end) > 0:
			return end
		}
	}
}
