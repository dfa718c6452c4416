package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// textMethod is a method of Python's texts; nil if there is none of the name.
func textMethod(name string) textFunction {
	if m := textForms()[name]; m != nil {
		return m
	}
	return textParts()[name]
}

// textParts are the methods that take a text apart, put one together, or look
// into it.
func textParts() map[string]textFunction {
	return map[string]textFunction{
		"format": func(r *runtime, s string, args []any, named map[string]any) any { return r.format(s, args, named) },
		"join": func(r *runtime, s string, args []any, _ map[string]any) any {
			var parts []string
			for _, item := range r.iterate(argument(args, 0)) {
				part, ok := item.(string)
				if !ok {
					fail("join wants texts, not %s", typeName(item))
				}
				parts = append(parts, part)
			}
			return joined(parts, s)
		},
		"split":      func(_ *runtime, s string, args []any, named map[string]any) any { return split(s, args, named, false) },
		"rsplit":     func(_ *runtime, s string, args []any, named map[string]any) any { return split(s, args, named, true) },
		"splitlines": func(_ *runtime, s string, _ []any, _ map[string]any) any { return splitLines(s) },
		"partition": func(_ *runtime, s string, args []any, _ map[string]any) any {
			sep := textArgument(args, 0)
			before, after, found := strings.Cut(s, sep)
			if !found {
				sep = ""
			}
			return tuple{before, sep, after}
		},
		"startswith": func(_ *runtime, s string, args []any, _ map[string]any) any {
			return affixed(s, args, strings.HasPrefix)
		},
		"endswith": func(_ *runtime, s string, args []any, _ map[string]any) any {
			return affixed(s, args, strings.HasSuffix)
		},
		"find": func(_ *runtime, s string, args []any, _ map[string]any) any {
			return runeIndex(s, textArgument(args, 0))
		},
		"index": func(_ *runtime, s string, args []any, _ map[string]any) any {
			n := runeIndex(s, textArgument(args, 0))
			if n < 0 {
				fail("%s is not in the text", Quote(textArgument(args, 0)))
			}
			return n
		},
		"count": func(_ *runtime, s string, args []any, _ map[string]any) any {
			return strings.Count(s, textArgument(args, 0))
		},
		"isdigit": every(unicode.IsDigit), "isnumeric": every(unicode.IsNumber), "isdecimal": every(unicode.IsDigit),
		"isalpha": every(unicode.IsLetter), "isspace": every(unicode.IsSpace),
		"isalnum": every(func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) }),
		"isupper": func(_ *runtime, s string, _ []any, _ map[string]any) any {
			return strings.ToUpper(s) == s && strings.ToLower(s) != s
		},
		"islower": func(_ *runtime, s string, _ []any, _ map[string]any) any {
			return strings.ToLower(s) == s && strings.ToUpper(s) != s
		},
	}
}

// textForms are the methods that give a text another form.
func textForms() map[string]textFunction {
	return map[string]textFunction{
		"upper":      plain(strings.ToUpper),
		"lower":      plain(strings.ToLower),
		"title":      plain(title),
		"capitalize": plain(capitalize),
		"swapcase":   plain(swapCase),
		"strip":      func(_ *runtime, s string, args []any, _ map[string]any) any { return strip(s, args, true, true) },
		"lstrip":     func(_ *runtime, s string, args []any, _ map[string]any) any { return strip(s, args, true, false) },
		"rstrip":     func(_ *runtime, s string, args []any, _ map[string]any) any { return strip(s, args, false, true) },
		"replace": func(_ *runtime, s string, args []any, _ map[string]any) any {
			return replace(s, textArgument(args, 0), textArgument(args, 1), wholeArgument(args, 2, -1))
		},
		"zfill": func(_ *runtime, s string, args []any, _ map[string]any) any {
			sign := ""
			if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
				sign, s = s[:1], s[1:]
			}
			return sign + pad(s, wholeArgument(args, 0)-len(sign), '>', '0')
		},
		"ljust": justified('<'),
		"rjust": justified('>'),
		"center": func(_ *runtime, s string, args []any, _ map[string]any) any {
			fill, _ := utf8.DecodeRuneInString(textArgument(args, 1, " "))
			return center(s, wholeArgument(args, 0), fill)
		},
	}
}
