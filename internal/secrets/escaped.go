package secrets

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// longestEscape is how many characters one byte of a value becomes at most:
// \\u002f.
const longestEscape = 7

// escaped finds values of which any characters are escaped, each in its own
// way: as in a URL (%2F, %2f, %252F, + for a space), in JSON (\u002f, \/), or in
// the strings of C, Go, Python and the shell (\x2f, \057, \n). It reads the text
// as those would, once and twice, and looks for the values in what comes out.
type escaped []string

func (e escaped) blank(s string) string {
	if len(e) == 0 || !strings.ContainsAny(s, `%\+`) {
		return s
	}
	var found []span
	for _, spaces := range []bool{false, true} {
		if spaces && !strings.Contains(s, "+") {
			break
		}
		once := meaning(s, spaces)
		if !e.in(once) && !e.in(meaning(once, spaces)) {
			continue // to know where each byte was written is dear
		}
		text := asWritten(s)
		for range 2 {
			text = text.read(spaces)
			found = e.find(text, found)
		}
	}
	return without(s, found)
}

// in tells whether one of the values is in a text.
func (e escaped) in(text string) bool {
	return slices.ContainsFunc(e, func(value string) bool { return strings.Contains(text, value) })
}

// meaning is a text with each escape taken for what it means; spaces has + mean
// one.
func meaning(s string, spaces bool) string {
	var out strings.Builder
	kept := 0
	for at := 0; at < len(s); at++ {
		if c := s[at]; c != '%' && c != '\\' && (c != '+' || !spaces) {
			continue
		}
		means, length := unescape([]byte(s[at:min(len(s), at+12)]), spaces)
		if kept == 0 {
			out.Grow(len(s)) // what is meant is hardly ever longer
		}
		out.WriteString(s[kept:at])
		out.Write(means)
		kept = at + length
		at = kept - 1
	}
	if kept == 0 {
		return s
	}
	out.WriteString(s[kept:])
	return out.String()
}

// find adds where the values stand.
func (e escaped) find(t reading, found []span) []span {
	text := string(t.text)
	for _, value := range e {
		for from := 0; ; {
			at := strings.Index(text[from:], value)
			if at < 0 {
				break
			}
			at += from
			from = at + len(value)
			found = append(found, span{t.at[at].from, t.at[from-1].to})
		}
	}
	return found
}

// span is a part of a text.
type span struct{ from, to int }

// without is the text with a mark in the place of each span.
func without(s string, spans []span) string {
	if len(spans) == 0 {
		return s
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to)) })
	var out strings.Builder
	kept := 0
	for _, x := range spans {
		if x.to <= kept {
			continue
		}
		if x.from >= kept {
			out.WriteString(s[kept:x.from])
			out.WriteString(Mark)
		}
		kept = x.to
	}
	out.WriteString(s[kept:])
	return out.String()
}

// reading is a text, and where each byte of it was written.
type reading struct {
	text []byte
	at   []span
}

func asWritten(s string) reading {
	r := reading{[]byte(s), make([]span, len(s))}
	for n := range r.at {
		r.at[n] = span{n, n + 1}
	}
	return r
}

// read takes each escape for what it means; spaces has + mean one.
func (r reading) read(spaces bool) reading {
	out := reading{make([]byte, 0, len(r.text)), make([]span, 0, len(r.text))}
	for n := 0; n < len(r.text); {
		meaning, length := unescape(r.text[n:], spaces)
		for _, b := range meaning {
			out.text = append(out.text, b)
			out.at = append(out.at, span{r.at[n].from, r.at[n+length-1].to})
		}
		n += length
	}
	return out
}

// unescape gives what the first character of a text means, and how long it is.
func unescape(s []byte, spaces bool) (meaning []byte, length int) {
	switch {
	case s[0] == '+' && spaces:
		return []byte{' '}, 1
	case s[0] == '%':
		if b, ok := number(s, 1, 2, 16); ok {
			return []byte{byte(b)}, 3
		}
	case s[0] == '\\' && len(s) > 1:
		return backslash(s)
	}
	return s[:1], 1
}

func backslash(s []byte) (meaning []byte, length int) {
	const letters, mean = `nrtbf"'/\ $` + "`", "\n\r\t\b\f\"'/\\ $`"
	switch at := strings.IndexByte(letters, s[1]); {
	case at >= 0:
		return []byte{mean[at]}, 2
	case s[1] == 'x':
		if b, ok := number(s, 2, 2, 16); ok {
			return []byte{byte(b)}, 4
		}
	case s[1] == 'u':
		first, ok := number(s, 2, 4, 16)
		if !ok {
			break
		}
		if second, low := number(s, 8, 4, 16); low && s[6] == '\\' && s[7] == 'u' && utf16.IsSurrogate(rune(first)) {
			return utf8.AppendRune(nil, utf16.DecodeRune(rune(first), rune(second))), 12
		}
		return utf8.AppendRune(nil, rune(first)), 6
	default:
		if b, ok := number(s, 1, 3, 8); ok {
			return []byte{byte(b)}, 4
		}
	}
	return s[:1], 1
}

// number reads so many digits from there on.
func number(s []byte, from, digits, base int) (uint64, bool) {
	if len(s) < from+digits || s[from] == '+' || s[from] == '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[from:from+digits]), base, 16)
	return n, err == nil
}
