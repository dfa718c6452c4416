package jinja

import "strings"

type (
	// markup is a text that is HTML already: to escape it again changes nothing.
	markup string
	// group is what groupby gives: a tuple whose parts have names.
	group struct{ grouper, list any }
)

// bare is a value without what only some filters know about it.
func bare(v any) any {
	switch v := v.(type) {
	case markup:
		return string(v)
	case group:
		return tuple{v.grouper, v.list}
	}
	return v
}

func allBare(args []any) []any {
	for i, v := range args {
		args[i] = bare(v)
	}
	return args
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", `'`, "&#39;", `"`, "&#34;")

func escapeHTML(v any) markup {
	if m, ok := v.(markup); ok {
		return m
	}
	return markup(bounded(htmlEscapes.Replace(str(v))))
}

// joinMarkup adds texts of which one is HTML, which escapes the other.
func joinMarkup(a, b any) (any, bool) {
	_, first := a.(markup)
	_, second := b.(markup)
	_, text := bare(a).(string)
	_, other := bare(b).(string)
	if !first && !second || !text || !other {
		return nil, false
	}
	return markup(bounded(string(escapeHTML(a) + escapeHTML(b)))), true
}

// escapeTexts escapes the texts that are put into HTML.
func escapeTexts(v any) any {
	switch v := v.(type) {
	case string, markup:
		return string(escapeHTML(v))
	case tuple:
		out := make(tuple, len(v))
		for i, item := range v {
			out[i] = escapeTexts(item)
		}
		return out
	}
	return v
}
