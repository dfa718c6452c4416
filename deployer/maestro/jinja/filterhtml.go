package jinja

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// forMarkup are the filters that tell HTML from other text.
var forMarkup = []string{"escape", "e", "forceescape", "safe", "default", "d", "first", "last", "xmlattr"}

func filterEscape(_ *runtime, args []any, _ map[string]any) any { return escapeHTML(args[0]) }

func filterForceEscape(_ *runtime, args []any, _ map[string]any) any {
	return escapeHTML(str(args[0]))
}

func filterSafe(_ *runtime, args []any, _ map[string]any) any { return markup(str(args[0])) }

// filterStripTags takes comments and tags away, and leaves one space where
// there was more.
func filterStripTags(_ *runtime, args []any, _ map[string]any) any {
	s := cutAll(cutAll(str(args[0]), "<!--", "-->"), "<", ">")
	return html.UnescapeString(strings.Join(strings.Fields(s), " "))
}

func cutAll(s, begin, end string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, begin)
		_, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			return b.String() + s
		}
		b.WriteString(before)
		s = after
	}
}

func filterXMLAttr(_ *runtime, args []any, named map[string]any) any {
	given := take(args, named, "d", "autospace")
	d, ok := given["d"].(*dict)
	if !ok {
		fail("xmlattr wants a mapping, not %s", typeName(given["d"]))
	}
	var parts []string
	for _, key := range d.keys {
		v, _ := d.get(key)
		if _, missing := v.(undefined); missing || v == nil {
			continue
		}
		name, ok := key.(string)
		if !ok || strings.ContainsFunc(name, unicode.IsSpace) || strings.ContainsAny(name, "/>=") {
			fail("%s cannot be the name of an attribute", repr(key))
		}
		parts = append(parts, fmt.Sprintf(`%s="%s"`, escapeHTML(key), escapeHTML(v)))
	}
	out := joined(parts, " ")
	if space, given := given["autospace"]; out != "" && (!given || truth(space)) {
		return " " + out
	}
	return out
}

const letter = `[\p{L}\p{N}_]`

var (
	spaces = regexp.MustCompile(`[\s\v\x{1c}-\x{1f}\x{85}\p{Z}]+`)
	before = regexp.MustCompile(`^(?:[(<]|&lt;)+`)
	after  = regexp.MustCompile(`(?:[)>.,\n]|&gt;)+$`)
	scheme = regexp.MustCompile(`^(?i:[\w.+-]{2,}:(?:/){0,2})$`)
	email  = regexp.MustCompile(`^\S+@` + letter + `[\p{L}\p{N}_.-]*\.` + letter + `+$`)
	link   = regexp.MustCompile(`(?i)^(?:(?:https?://|www\.)(?:(?:[\p{L}\p{N}_%-]+\.)+)?(?:[a-z]{2,63}|xn--[\p{L}\p{N}_%]{2,59})` +
		`|(?:[\p{L}\p{N}_%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)` +
		`|https?://(?:\d{1,3}(?:\.\d{1,3}){3}|\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\]))(?::\d{1,5})?(?:[/?#]\S*)?$`)
)

// urls are what urlize was told about links.
type urls struct {
	attributes string
	limit      int // of the characters that are shown; -1 for none
	schemes    []string
}

// filterURLs makes links of the addresses in a text.
func filterURLs(r *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "trim_url_limit", "nofollow", "target", "rel", "extra_schemes")
	rel := append(strings.Fields(str(orEmpty(given["rel"]))), "noopener")
	if truth(given["nofollow"]) {
		rel = append(rel, "nofollow")
	}
	slices.Sort(rel)
	u := urls{limit: -1, attributes: fmt.Sprintf(` rel="%s"`, escapeHTML(strings.Join(slices.Compact(rel), " ")))}
	if truth(given["target"]) {
		u.attributes += fmt.Sprintf(` target="%s"`, escapeHTML(given["target"]))
	}
	if n, ok := integer(given["trim_url_limit"]); ok {
		u.limit = max(n, 0)
	}
	if given["extra_schemes"] != nil {
		for _, v := range r.iterate(given["extra_schemes"]) {
			if !scheme.MatchString(str(v)) {
				fail("%s is not a valid URI scheme prefix", repr(v))
			}
			u.schemes = append(u.schemes, str(v))
		}
	}
	text := string(escapeHTML(str(given["value"])))
	var b strings.Builder
	for text != "" {
		at := spaces.FindStringIndex(text)
		if at == nil {
			at = []int{len(text), len(text)}
		}
		b.WriteString(u.word(text[:at[0]]) + text[at[0]:at[1]])
		text = text[at[1]:]
		r.spend(1)
	}
	return bounded(b.String())
}

func orEmpty(v any) any {
	if v == nil {
		return ""
	}
	return v
}

// word makes a link of a word that is an address, without the brackets around
// it and the punctuation after it.
func (u urls) word(s string) string {
	head := before.FindString(s)
	middle, tail := s[len(head):], ""
	if at := after.FindStringIndex(middle); at != nil {
		middle, tail = middle[:at[0]], middle[at[0]:]
	}
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		opened := strings.Count(middle, pair[0])
		if opened <= strings.Count(middle, pair[1]) {
			continue
		}
		for range min(opened, strings.Count(tail, pair[1])) {
			end := strings.Index(tail, pair[1]) + len(pair[1])
			middle, tail = middle+tail[:end], tail[end:]
		}
	}
	return head + u.link(middle) + tail
}

func (u urls) link(s string) string {
	switch {
	case link.MatchString(s):
		shown := s
		if all := []rune(s); u.limit >= 0 && len(all) > u.limit {
			shown = string(all[:u.limit]) + "..."
		}
		to := s
		if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
			to = "https://" + s
		}
		return `<a href="` + to + `"` + u.attributes + `>` + shown + `</a>`
	case strings.HasPrefix(s, "mailto:") && email.MatchString(s[7:]):
		return `<a href="` + s + `">` + s[7:] + `</a>`
	case strings.Contains(s, "@") && !strings.HasPrefix(s, "www.") && !strings.HasPrefix(s, "@") && !strings.Contains(s, ":") && email.MatchString(s):
		return `<a href="mailto:` + s + `">` + s + `</a>`
	}
	for _, prefix := range u.schemes {
		if s != prefix && strings.HasPrefix(s, prefix) {
			s = `<a href="` + s + `"` + u.attributes + `>` + s + `</a>`
		}
	}
	return s
}
