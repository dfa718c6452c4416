package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// textFunction is a method of a text.
type textFunction = func(r *runtime, s string, args []any, named map[string]any) any

func plain(f func(string) string) textFunction {
	return func(_ *runtime, s string, _ []any, _ map[string]any) any { return f(s) }
}

// every tells whether all characters are of a kind, and there are some.
func every(is func(rune) bool) textFunction {
	return func(_ *runtime, s string, _ []any, _ map[string]any) any {
		return s != "" && strings.IndexFunc(s, func(c rune) bool { return !is(c) }) < 0
	}
}

func joined(parts []string, sep string) string {
	size := len(sep) * max(len(parts)-1, 0)
	for _, part := range parts {
		if size += len(part); size > maxOutput {
			fail("a text has more than %d bytes", maxOutput)
		}
	}
	return strings.Join(parts, sep)
}

func title(s string) string {
	start := true
	return strings.Map(func(c rune) rune {
		was := start
		start = !unicode.IsLetter(c)
		if was {
			return unicode.ToUpper(c)
		}
		return unicode.ToLower(c)
	}, s)
}

func capitalize(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:n]) + strings.ToLower(s[n:])
}

func swapCase(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsUpper(c) {
			return unicode.ToLower(c)
		}
		return unicode.ToUpper(c)
	}, s)
}

// split is str.split and, from the right, str.rsplit.
func split(s string, args []any, named map[string]any, right bool) any {
	given := take(args, named, "sep", "maxsplit")
	most := -1
	if v, ok := given["maxsplit"]; ok {
		most, _ = integer(v)
	}
	out := &array{}
	sep, ok := given["sep"].(string)
	if !ok {
		if most < 0 {
			for word := range strings.FieldsSeq(s) {
				out.items = append(out.items, word)
			}
			return out
		}
		return splitSpace(s, most, right)
	}
	if sep == "" {
		fail("an empty separator")
	}
	parts := strings.Split(s, sep)
	if over := len(parts) - 1 - most; most >= 0 && over > 0 {
		if right {
			parts = append([]string{strings.Join(parts[:over+1], sep)}, parts[over+1:]...)
		} else {
			parts = append(parts[:most:most], strings.Join(parts[most:], sep))
		}
	}
	for _, part := range parts {
		out.items = append(out.items, part)
	}
	return out
}

// splitSpace splits at white space, so often at most.
func splitSpace(s string, most int, right bool) any {
	out := &array{}
	for s = strings.TrimSpace(s); s != ""; most-- {
		n := strings.IndexFunc(s, unicode.IsSpace)
		if right {
			n = strings.LastIndexFunc(s, unicode.IsSpace)
		}
		switch {
		case most <= 0 || n < 0:
			out.items, s = append(out.items, s), ""
		case right:
			_, width := utf8.DecodeRuneInString(s[n:])
			out.items, s = append(out.items, s[n+width:]), strings.TrimRightFunc(s[:n], unicode.IsSpace)
		default:
			out.items, s = append(out.items, s[:n]), strings.TrimLeftFunc(s[n:], unicode.IsSpace)
		}
	}
	if right {
		for i, j := 0, len(out.items)-1; i < j; i, j = i+1, j-1 {
			out.items[i], out.items[j] = out.items[j], out.items[i]
		}
	}
	return out
}

func splitLines(s string) any {
	out := &array{}
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	for s != "" {
		var line string
		line, s, _ = strings.Cut(s, "\n")
		out.items = append(out.items, line)
	}
	return out
}

func strip(s string, args []any, left, right bool) string {
	cut := unicode.IsSpace
	if chars, ok := argument(args, 0, nil).(string); ok {
		cut = func(c rune) bool { return strings.ContainsRune(chars, c) }
	}
	if left {
		s = strings.TrimLeftFunc(s, cut)
	}
	if right {
		s = strings.TrimRightFunc(s, cut)
	}
	return s
}

func replace(s, from, to string, times int) string {
	n := strings.Count(s, from)
	if times >= 0 {
		n = min(n, times)
	}
	if n > 0 && len(to) > maxOutput/n {
		fail("a text has more than %d bytes", maxOutput)
	}
	return bounded(strings.Replace(s, from, to, times))
}

// affixed tells whether one of the given texts begins, or ends, the text.
func affixed(s string, args []any, has func(s, affix string) bool) bool {
	if list, ok := argument(args, 0).(tuple); ok {
		for i := range list {
			if has(s, textArgument(list, i)) {
				return true
			}
		}
		return false
	}
	return has(s, textArgument(args, 0))
}

// runeIndex is where a text begins in another, in characters; -1 for nowhere.
func runeIndex(s, part string) int {
	before, _, found := strings.Cut(s, part)
	if !found {
		return -1
	}
	return utf8.RuneCountInString(before)
}

func justified(align rune) textFunction {
	return func(_ *runtime, s string, args []any, _ map[string]any) any {
		fill, _ := utf8.DecodeRuneInString(textArgument(args, 1, " "))
		return pad(s, wholeArgument(args, 0), align, fill)
	}
}

// pad fills a text up to a width: < after it, > before it, ^ on both sides.
func pad(s string, width int, align, fill rune) string {
	missing := width - utf8.RuneCountInString(s)
	if missing <= 0 {
		return s
	}
	if missing > maxOutput {
		fail("a text has more than %d bytes", maxOutput)
	}
	of := func(n int) string { return strings.Repeat(string(fill), n) }
	switch align {
	case '<':
		return s + of(missing)
	case '^':
		return of(missing/2) + s + of(missing-missing/2)
	}
	return of(missing) + s
}
